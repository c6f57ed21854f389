// A chart that takes no time from its page: ECharts, which is large, is fetched once the page itself was painted.
export default {
  template: "<div></div>",
  props: { options: Object, renderer: String },
  async mounted() {
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    const { echarts } = await import("nicegui-echart");
    if (this.gone) return;
    this.chart = echarts.init(this.$el, null, { renderer: this.renderer });
    this.sized = new ResizeObserver(() => this.chart.resize());
    this.sized.observe(this.$el);
    this.update_chart();
    this.$el.dataset.drawn = "";
  },
  beforeUnmount() {
    this.gone = true;
    this.sized?.disconnect();
    this.chart?.dispose();
  },
  methods: {
    update_chart() {
      if (!this.chart) return;
      const { dataZoom, ...options } = this.options;
      options.series = this.options.series.map((each) => ({ ...each, ...told(each) }));
      const anew = this.chart.getOption()?.series?.length !== options.series.length;
      // Where somebody has zoomed to stays: what is new is drawn there.
      this.chart.setOption(anew ? { ...options, dataZoom } : options, { notMerge: anew });
    },
  },
};

// What a series says where the pointer is: a mark its words, a price its instrument's decimals.
function told({ worded, decimals, data }) {
  if (worded) return { tooltip: { valueFormatter: (_, index) => data[index]?.name ?? "" } };
  if (decimals === undefined) return {};
  const places = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  const written = (value) => (Number.isFinite(value) ? value.toLocaleString("en-US", places) : value === "-" ? "–" : "");
  return { tooltip: { valueFormatter: written } };
}
