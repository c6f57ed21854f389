-- spread_zscore_30_v1: how unusual the spread at the minute's last quote is within half an hour: 0 = the mean.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: quotes, gaps, bars_1m_checked (its minutes).
-- Unit: standard deviations.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 30 bars, this one included. NULL across a gap of quotes and until the warm-up is whole; 0 while still.
-- Owner: research.
-- Checks: between -6 and 6 (fail).
CREATE OR REPLACE VIEW spread_zscore_30_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 29
  SELECT ts, venue, symbol,
         CASE WHEN known < 30 THEN NULL
              WHEN mean_square - mean * mean <= 1e-20 THEN 0.0
              ELSE (spread - mean) / sqrt(mean_square - mean * mean) END AS value
  FROM (
    SELECT ts, venue, symbol, spread,
           avg(spread) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 29 PRECEDING AND CURRENT ROW) AS mean,
           avg(spread * spread) OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 29 PRECEDING AND CURRENT ROW) AS mean_square,
           count(spread) OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 29 PRECEDING AND CURRENT ROW) AS known
    FROM (
      SELECT ts, venue, symbol, spread - first_value(spread) IGNORE NULLS OVER (
               PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS spread
      FROM (
        SELECT b.ts, b.venue, b.symbol, CASE WHEN h.missing THEN NULL ELSE q.spread END AS spread
        FROM bars_1m_checked b
        LEFT JOIN (
          SELECT ts, venue, symbol, arg_max((ask - bid) / ((ask + bid) / 2.0), update_id) AS spread
          FROM quotes
          WHERE ts >= date_trunc('minute', dateadd('m', -29, @from)) AND ts < dateadd('m', 1, @to)
          SAMPLE BY 1m
        ) q ON b.ts = q.ts AND b.venue = q.venue AND b.symbol = q.symbol
        LEFT JOIN (
          SELECT DISTINCT m.ts, g.venue, g.symbol, true AS missing
          FROM (
            SELECT generate_series AS ts FROM generate_series(
              date_trunc('minute', dateadd('m', -29, @from))::timestamp_ns,
              date_trunc('minute', @to)::timestamp_ns, '1m')
          ) m CROSS JOIN (
            SELECT * FROM (
              SELECT venue, symbol, status, started_at, ended_at, gap_id, ts FROM gaps
              WHERE channel = 'quotes' LATEST ON ts PARTITION BY gap_id
            ) WHERE status != 'healed' AND started_at <= dateadd('m', 1, @to)
          ) g
          WHERE g.started_at < dateadd('m', 1, m.ts) AND (g.ended_at IS NULL OR g.ended_at >= m.ts)
        ) h ON b.ts = h.ts AND b.venue = h.venue AND b.symbol = h.symbol
      )
    )
  ) WHERE ts >= @from AND ts <= @to
);

-- spread_zscore_30: the version of spread_zscore_30 that new work should read.
CREATE OR REPLACE VIEW spread_zscore_30 AS (SELECT * FROM spread_zscore_30_v1);
