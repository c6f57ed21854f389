-- funding_zscore_60_v1: how unusual the predicted funding rate is within an hour: 0 = the mean, above 0 longs pay more.
-- 0 while the rate stands still.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: funding, gaps, bars_1m_checked (its minutes).
-- Unit: standard deviations.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 119 bars: each of 60 rates is the newest of 61 minutes. NULL for spot, across a gap of funding.
-- Owner: research.
-- Checks: between -8 and 8 (fail).
CREATE OR REPLACE VIEW funding_zscore_60_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 119
  SELECT ts, venue, symbol,
         CASE WHEN known < 60 THEN NULL
              WHEN mean_square - mean * mean <= 1e-20 THEN 0.0
              ELSE (rate - mean) / sqrt(mean_square - mean * mean) END AS value
  FROM (
    SELECT ts, venue, symbol, rate,
           avg(rate) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS mean,
           avg(rate * rate) OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS mean_square,
           count(rate) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS known
    FROM (
      SELECT ts, venue, symbol, rate - first_value(rate) IGNORE NULLS OVER (
               PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS rate
      FROM (
        SELECT ts, venue, symbol, CASE WHEN last_said < 9.0 THEN last_said END AS rate
        FROM (
          SELECT ts, venue, symbol, last_value(said) IGNORE NULLS OVER (
                   PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 60 PRECEDING AND CURRENT ROW) AS last_said
          FROM (
            -- 9 stands for "not known": in a minute that a gap touches, what was said before it holds no longer
            SELECT b.ts, b.venue, b.symbol, CASE WHEN h.missing THEN 9.0 ELSE q.said END AS said
            FROM bars_1m_checked b
            LEFT JOIN (
              SELECT ts, venue, symbol, last(rate) AS said
              FROM funding
              WHERE kind = 'predicted' AND ts >= date_trunc('minute', dateadd('m', -119, @from))
                AND ts < dateadd('m', 1, @to)
              SAMPLE BY 1m
            ) q ON b.ts = q.ts AND b.venue = q.venue AND b.symbol = q.symbol
            LEFT JOIN (
              SELECT DISTINCT m.ts, g.venue, g.symbol, true AS missing
              FROM (
                SELECT generate_series AS ts FROM generate_series(
                  date_trunc('minute', dateadd('m', -119, @from))::timestamp_ns,
                  date_trunc('minute', @to)::timestamp_ns, '1m')
              ) m CROSS JOIN (
                SELECT * FROM (
                  SELECT venue, symbol, status, started_at, ended_at, gap_id, ts FROM gaps
                  WHERE channel = 'funding' LATEST ON ts PARTITION BY gap_id
                ) WHERE status != 'healed' AND started_at <= dateadd('m', 1, @to)
              ) g
              WHERE g.started_at < dateadd('m', 1, m.ts) AND (g.ended_at IS NULL OR g.ended_at >= m.ts)
            ) h ON b.ts = h.ts AND b.venue = h.venue AND b.symbol = h.symbol
          )
        )
      )
    )
  ) WHERE ts >= @from AND ts <= @to
);

-- funding_zscore_60: the version of funding_zscore_60 that new work should read.
CREATE OR REPLACE VIEW funding_zscore_60 AS (SELECT * FROM funding_zscore_60_v1);
