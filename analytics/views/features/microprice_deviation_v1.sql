-- microprice_deviation_v1: which way the last quote of the minute leans: its micro price against its mid.
-- Micro price: each side weighted by the other's amount (Stoikov: The micro-price, Quantitative Finance, 2018).
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: quotes, gaps, bars_1m_checked (its minutes).
-- Unit: share of the mid price; above 0 the bid is larger.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: none. NULL in a minute that a gap of quotes touches, and where none are recorded: history has none.
-- Owner: research.
-- Checks: between -0.05 and 0.05 (warn).
CREATE OR REPLACE VIEW microprice_deviation_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now()
  SELECT b.ts, b.venue, b.symbol, CASE WHEN h.missing THEN NULL ELSE q.value END AS value
  FROM bars_1m_checked b
  LEFT JOIN (
    SELECT ts, venue, symbol,
           arg_max(
             (bid * ask_amount + ask * bid_amount) / (bid_amount + ask_amount) / ((ask + bid) / 2.0) - 1.0, update_id)
           AS value
    FROM quotes
    WHERE ts >= date_trunc('minute', @from) AND ts < dateadd('m', 1, @to)
    SAMPLE BY 1m
  ) q ON b.ts = q.ts AND b.venue = q.venue AND b.symbol = q.symbol
  LEFT JOIN (
    SELECT DISTINCT m.ts, g.venue, g.symbol, true AS missing
    FROM (
      SELECT generate_series AS ts FROM generate_series(
        date_trunc('minute', @from)::timestamp_ns, date_trunc('minute', @to)::timestamp_ns, '1m')
    ) m CROSS JOIN (
      SELECT * FROM (
        SELECT venue, symbol, status, started_at, ended_at, gap_id, ts FROM gaps
        WHERE channel = 'quotes' LATEST ON ts PARTITION BY gap_id
      ) WHERE status != 'healed' AND started_at <= dateadd('m', 1, @to)
    ) g
    WHERE g.started_at < dateadd('m', 1, m.ts) AND (g.ended_at IS NULL OR g.ended_at >= m.ts)
  ) h ON b.ts = h.ts AND b.venue = h.venue AND b.symbol = h.symbol
);

-- microprice_deviation: the version of microprice_deviation that new work should read.
CREATE OR REPLACE VIEW microprice_deviation AS (SELECT * FROM microprice_deviation_v1);
