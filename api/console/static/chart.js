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
      const drawn = this.chart?.getOption()?.series?.length;
      this.chart?.setOption(this.options, { notMerge: drawn !== this.options.series?.length });
    },
  },
};
