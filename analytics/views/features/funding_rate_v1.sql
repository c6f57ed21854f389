-- funding_rate_v1: what a perpetual's longs are about to pay its shorts at the next payment; below 0 shorts pay.
-- The newest predicted rate that the venue said in the minute or in the two hours before it.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: funding, gaps, bars_1m_checked (its minutes).
-- Unit: share of the position's value, a payment (0.0001 = 0.01 %).
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 120 bars, in one of which the venue told its rate. NULL for spot, and across a gap of funding.
-- Owner: research.
-- Checks: between -0.05 and 0.05 (warn).
CREATE OR REPLACE VIEW funding_rate_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 120
  SELECT ts, venue, symbol, CASE WHEN last_rate < 9.0 THEN last_rate END AS value
  FROM (
    SELECT ts, venue, symbol, last_value(said) IGNORE NULLS OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 120 PRECEDING AND CURRENT ROW) AS last_rate
    FROM (
      -- 9 stands for "not known": in a minute that a gap touches, what was said before it holds no longer
      SELECT b.ts, b.venue, b.symbol, CASE WHEN h.missing THEN 9.0 ELSE q.rate END AS said
      FROM bars_1m_checked b
      LEFT JOIN (
        SELECT ts, venue, symbol, last(rate) AS rate
        FROM funding
        WHERE kind = 'predicted' AND ts >= date_trunc('minute', dateadd('m', -120, @from)) AND ts < dateadd('m', 1, @to)
        SAMPLE BY 1m
      ) q ON b.ts = q.ts AND b.venue = q.venue AND b.symbol = q.symbol
      LEFT JOIN (
        SELECT DISTINCT m.ts, g.venue, g.symbol, true AS missing
        FROM (
          SELECT generate_series AS ts FROM generate_series(
            date_trunc('minute', dateadd('m', -120, @from))::timestamp_ns, date_trunc('minute', @to)::timestamp_ns, '1m')
        ) m CROSS JOIN (
          SELECT * FROM (
            SELECT venue, symbol, status, started_at, ended_at, gap_id, ts FROM gaps
            WHERE channel = 'funding' LATEST ON ts PARTITION BY gap_id
          ) WHERE status != 'healed' AND started_at <= dateadd('m', 1, @to)
        ) g
        WHERE g.started_at < dateadd('m', 1, m.ts) AND (g.ended_at IS NULL OR g.ended_at >= m.ts)
      ) h ON b.ts = h.ts AND b.venue = h.venue AND b.symbol = h.symbol
    )
  ) WHERE ts >= @from AND ts <= @to
);

-- funding_rate: the version of funding_rate that new work should read.
CREATE OR REPLACE VIEW funding_rate AS (SELECT * FROM funding_rate_v1);
