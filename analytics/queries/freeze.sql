-- watermarks: of every symbol and channel of a venue, up to where it is complete and when that was published.
SELECT symbol, channel, watermark::long AS watermark_ns, ts::long AS published_ns
FROM ingest_watermarks WHERE venue = %(venue)s LATEST ON ts PARTITION BY symbol, channel;

-- wal: how far the tables that bars rest on, and the bars themselves, are committed and applied.
SELECT name, suspended, errorTag || ' ' || errorMessage AS cause, writerTxn AS applied, sequencerTxn AS committed
FROM wal_tables()
WHERE name IN ('trades', 'quotes', 'books', 'gaps', 'venue_bars_1m', 'ingest_watermarks', 'bars_1m', 'bar_days',
               'venue_bar_days');

-- bars_views: up to which commit of what they read, and to which minute, the materialized bars and their days are fresh.
SELECT view_name AS name, view_status AS status, refresh_base_table_txn AS refreshed,
       refresh_period_hi::long AS closed_until_us
FROM materialized_views() WHERE view_name IN ('bars_1m', 'bar_days', 'venue_bar_days');

-- bars_day: the bars as they are now, of the last day.
DECLARE @from := dateadd('h', -24, now()), @to := now()
SELECT ts::long AS ts_ns, symbol, status, origin, open, high, low, close, volume, cost, trades, buy_volume
FROM bars_1m_checked WHERE venue = %(venue)s;

-- bars_range: the bars as they are now, of a span and the longest warm-up before it.
DECLARE @from := %(from)s, @to := %(to)s, @warm_up := 120
SELECT ts::long AS ts_ns, symbol, status, origin, open, high, low, close, volume, cost, trades, buy_volume
FROM bars_1m_checked WHERE venue = %(venue)s;

-- feature_recent: a feature's values as they are now, of the last minutes. Its texts are few, so that plans are cached:
-- planning costs more than reading. `this_view` is replaced by the view's name,
-- `this_source` by what is read for it, and what follows DECLARE stands once for each of several.
DECLARE @from := dateadd('m', -%(minutes)s, now()), @to := now()
SELECT ts::long AS ts_ns, 'this_view' AS view, symbol, value FROM this_source WHERE venue = %(venue)s;

-- feature_range: a feature's values as they are now, of a span.
DECLARE @from := %(from)s, @to := %(to)s
SELECT ts::long AS ts_ns, 'this_view' AS view, symbol, value FROM this_source WHERE venue = %(venue)s;

-- signal_recent: a strategy's wishes as they are now, of the last minutes.
DECLARE @from := dateadd('m', -%(minutes)s, now()), @to := now()
SELECT ts::long AS ts_ns, 'this_view' AS view, symbol, target, confidence, model_version FROM this_source WHERE venue = %(venue)s;

-- signal_range: a strategy's wishes as they are now, of a span.
DECLARE @from := %(from)s, @to := %(to)s
SELECT ts::long AS ts_ns, 'this_view' AS view, symbol, target, confidence, model_version FROM this_source WHERE venue = %(venue)s;

-- frozen_bars: the newest revision of every frozen bar of a span.
DECLARE @t := '2200-01-01T00:00:00Z', @from := %(from)s, @to := %(to)s
SELECT ts::long AS ts_ns, symbol, revision, status, origin, open, high, low, close, volume, cost, trades, buy_volume
FROM bars_asof WHERE venue = %(venue)s AND interval = '1m';

-- frozen_features: the newest revision of every frozen feature of a span.
DECLARE @t := '2200-01-01T00:00:00Z', @from := %(from)s, @to := %(to)s
SELECT ts::long AS ts_ns, symbol, name, version, revision, value FROM features_asof WHERE venue = %(venue)s;

-- frozen_signals: the newest revision of every frozen signal of a span.
DECLARE @t := '2200-01-01T00:00:00Z', @from := %(from)s, @to := %(to)s
SELECT ts::long AS ts_ns, symbol, strategy, version, revision, target, confidence, model_version
FROM signals_asof WHERE venue = %(venue)s;

-- first_bar: the start of the oldest minute that anything is known of, of one symbol.
SELECT min(ts_ns) AS first_ns FROM (
  SELECT min(first_ts)::long AS ts_ns FROM bar_days WHERE venue = %(venue)s AND symbol = %(symbol)s
  UNION ALL
  SELECT min(first_ts)::long AS ts_ns FROM venue_bar_days WHERE venue = %(venue)s AND symbol = %(symbol)s
);

-- frozen_count: how many bars of one symbol are frozen in a span.
SELECT count() AS bars FROM bar_facts
WHERE venue = %(venue)s AND symbol = %(symbol)s AND interval = '1m' AND revision = 0 AND ts >= %(from)s AND ts <= %(to)s;

-- gaps_since: the ranges of trades whose state changed since a moment.
SELECT symbol, started_at::long AS started_ns, ended_at::long AS ended_ns, ts::long AS ts_ns FROM gaps
WHERE venue = %(venue)s AND channel = 'trades' AND ts > %(since)s;

-- gaps_within: the ranges of any channel that are not healed and touch a span.
SELECT symbol, started_at::long AS started_ns, ended_at::long AS ended_ns FROM (
  SELECT symbol, status, started_at, ended_at FROM gaps WHERE venue = %(venue)s LATEST ON ts PARTITION BY gap_id
) WHERE status <> 'healed' AND started_at <= dateadd('m', 1, %(to)s) AND (ended_at IS NULL OR ended_at >= %(from)s);
