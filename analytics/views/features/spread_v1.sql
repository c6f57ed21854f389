-- spread_v1: what it costs to cross: best ask less best bid at the last quote of the minute.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: quotes, gaps, bars_1m_checked (its minutes).
-- Unit: share of the mid price.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: none. NULL in a minute that a gap of quotes touches, and where none are recorded: history has none.
-- Owner: research.
-- Checks: between 0 and 0.1 (warn); null share <= 0.2 (warn).
CREATE OR REPLACE VIEW spread_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now()
  SELECT b.ts, b.venue, b.symbol, CASE WHEN h.missing THEN NULL ELSE q.value END AS value
  FROM bars_1m_checked b
  LEFT JOIN (
    SELECT ts, venue, symbol, arg_max((ask - bid) / ((ask + bid) / 2.0), update_id) AS value
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

-- spread: the version of spread that new work should read.
CREATE OR REPLACE VIEW spread AS (SELECT * FROM spread_v1);
