-- bars_1m_checked: every minute, traded or not, and whether we may believe it. What every feature reads.
-- Grain: venue, symbol, minute (ts = start), from the symbol's first known minute to the last that is certain.
-- status: traded; quiet (nobody traded: volume 0, OHLC = the last close of the 60 minutes before); gap (trades of the
--   minute are missing, or nothing is known of it: all values NULL, for missing is missing).
-- origin: trades (ours), or venue (its own candle, up to and including the minute in which our recording began, since
--   our first minute is partial, and where nothing was recorded between imported trades and ours: cause import).
-- A quiet minute has no price (NULL) where a gap hides the last close. A symbol ends where its watermark stands; with
-- no watermark (imported data) at its last bar.
-- Bounds: @from <= ts <= @to, default the last 24 hours; @warm_up reads so many minutes more before @from (for views
-- over this one). The first bar of a symbol is looked up among all its days, so a value never depends on @from;
-- days follow the bars by some milliseconds, so those of the span are looked at themselves.
-- Known after: the minute's end and the watermark behind it.
-- Inputs: bars_1m, venue_bars_1m, bar_days, venue_bar_days, gaps, ingest_watermarks.
CREATE OR REPLACE VIEW bars_1m_checked AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), OVERRIDABLE @warm_up := 0
  WITH own AS (
    SELECT ts, venue, symbol, open, high, low, close, volume, cost, trades, buy_volume FROM bars_1m
    WHERE ts >= dateadd('m', -60 - @warm_up, @from) AND ts <= @to
  ), theirs AS (
    SELECT ts, venue, symbol, open, high, low, close, volume, cost, trades, buy_volume FROM venue_bars_1m
    WHERE ts >= dateadd('m', -60 - @warm_up, @from) AND ts <= @to
  ), seen AS (
    SELECT venue, symbol, min(first_ts) AS first_ts, max(last_ts) AS last_ts, min(first_ts) AS first_own FROM bar_days
    UNION ALL
    SELECT venue, symbol, min(first_ts), max(last_ts), null::timestamp_ns FROM venue_bar_days
    UNION ALL
    SELECT venue, symbol, min(ts), max(ts), min(ts) FROM own
    UNION ALL
    SELECT venue, symbol, min(ts), max(ts), null::timestamp_ns FROM theirs
  ), marks AS (
    SELECT venue, symbol, watermark FROM ingest_watermarks
    WHERE channel = 'trades' LATEST ON ts PARTITION BY venue, symbol
  ), spans AS (
    SELECT s.venue, s.symbol, s.first_ts, s.first_own,
           CASE WHEN w.watermark IS NULL THEN dateadd('m', 1, s.last_ts)
                WHEN w.watermark > s.last_ts THEN w.watermark ELSE s.last_ts END AS certain_until
    FROM (SELECT venue, symbol, min(first_ts) AS first_ts, max(last_ts) AS last_ts, min(first_own) AS first_own FROM seen) s
    LEFT JOIN marks w ON s.venue = w.venue AND s.symbol = w.symbol
  ), minutes AS (
    SELECT generate_series AS ts FROM generate_series(
      date_trunc('minute', dateadd('m', -60 - @warm_up, @from))::timestamp_ns, date_trunc('minute', @to)::timestamp_ns, '1m')
  ), grid AS (
    SELECT m.ts, s.venue, s.symbol,
           CASE WHEN m.ts > s.first_own THEN 'trades' ELSE 'venue' END AS origin
    FROM minutes m CROSS JOIN spans s
    WHERE m.ts >= s.first_ts AND dateadd('m', 1, m.ts) <= s.certain_until
  ), holes AS (
    SELECT m.ts, g.venue, g.symbol, count() AS missing, sum(CASE g.cause WHEN 'import' THEN 1 ELSE 0 END) AS unrecorded
    FROM minutes m CROSS JOIN (
      SELECT * FROM (
        SELECT venue, symbol, status, cause, started_at, ended_at, gap_id, ts FROM gaps
        WHERE channel = 'trades' LATEST ON ts PARTITION BY gap_id
      ) WHERE status != 'healed' AND started_at <= @to
    ) g
    WHERE g.started_at < dateadd('m', 1, m.ts) AND (g.ended_at IS NULL OR g.ended_at >= m.ts)
    GROUP BY m.ts, g.venue, g.symbol
  ), placed AS (
    SELECT g.ts, g.venue, g.symbol, h.missing > 0 AS missing,
           CASE WHEN h.unrecorded > 0 THEN 'venue' ELSE g.origin END AS origin
    FROM grid g LEFT JOIN holes h ON g.ts = h.ts AND g.venue = h.venue AND g.symbol = h.symbol
  ), joined AS (
    SELECT g.ts, g.venue, g.symbol, g.origin,
           CASE WHEN g.origin = 'venue' AND v.close IS NULL THEN 'gap'
                WHEN g.origin = 'venue' AND v.trades = 0 THEN 'quiet'
                WHEN g.origin = 'venue' THEN 'traded'
                WHEN g.missing THEN 'gap'
                WHEN o.close IS NULL THEN 'quiet'
                ELSE 'traded' END AS status,
           CASE WHEN g.origin = 'venue' THEN v.open ELSE o.open END AS open,
           CASE WHEN g.origin = 'venue' THEN v.high ELSE o.high END AS high,
           CASE WHEN g.origin = 'venue' THEN v.low ELSE o.low END AS low,
           CASE WHEN g.origin = 'venue' THEN v.close ELSE o.close END AS close,
           CASE WHEN g.origin = 'venue' THEN v.volume ELSE o.volume END AS volume,
           CASE WHEN g.origin = 'venue' THEN v.cost ELSE o.cost END AS cost,
           CASE WHEN g.origin = 'venue' THEN v.trades ELSE o.trades END AS trades,
           CASE WHEN g.origin = 'venue' THEN v.buy_volume ELSE o.buy_volume END AS buy_volume
    FROM placed g
    LEFT JOIN own o ON g.ts = o.ts AND g.venue = o.venue AND g.symbol = o.symbol
    LEFT JOIN theirs v ON g.ts = v.ts AND g.venue = v.venue AND g.symbol = v.symbol
  ), carried AS (
    SELECT *, last_value(CASE status WHEN 'traded' THEN close WHEN 'gap' THEN -1.0 END) IGNORE NULLS OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 60 PRECEDING AND CURRENT ROW) AS last_close
    FROM joined
  )
  SELECT ts, venue, symbol, status, origin,
         CASE status WHEN 'traded' THEN open WHEN 'quiet' THEN nullif(last_close, -1.0) END AS open,
         CASE status WHEN 'traded' THEN high WHEN 'quiet' THEN nullif(last_close, -1.0) END AS high,
         CASE status WHEN 'traded' THEN low WHEN 'quiet' THEN nullif(last_close, -1.0) END AS low,
         CASE status WHEN 'traded' THEN close WHEN 'quiet' THEN nullif(last_close, -1.0) END AS close,
         CASE status WHEN 'traded' THEN volume WHEN 'quiet' THEN 0.0 END AS volume,
         CASE status WHEN 'traded' THEN cost WHEN 'quiet' THEN 0.0 END AS cost,
         CASE status WHEN 'traded' THEN trades WHEN 'quiet' THEN 0 END AS trades,
         CASE status WHEN 'traded' THEN buy_volume WHEN 'quiet' THEN 0.0 END AS buy_volume
  FROM carried
  WHERE ts >= dateadd('m', -@warm_up, @from) AND ts <= @to
);
