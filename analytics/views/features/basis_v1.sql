-- basis_v1: how much dearer the perpetual's mark price is than its index, as last said in the minute or five before.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: funding, gaps, bars_1m_checked (its minutes).
-- Unit: share of the index price; below 0 the perpetual is cheaper.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 5 bars, in one of which the venue told both prices. NULL for spot, and across a gap of funding.
-- Owner: research.
-- Checks: between -0.2 and 0.2 (warn).
CREATE OR REPLACE VIEW basis_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 5
  SELECT ts, venue, symbol, CASE WHEN last_said < 9.0 THEN last_said END AS value
  FROM (
    SELECT ts, venue, symbol, last_value(said) IGNORE NULLS OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 5 PRECEDING AND CURRENT ROW) AS last_said
    FROM (
      -- 9 stands for "not known": in a minute that a gap touches, what was said before it holds no longer
      SELECT b.ts, b.venue, b.symbol, CASE WHEN h.missing THEN 9.0 ELSE q.said END AS said
      FROM bars_1m_checked b
      LEFT JOIN (
        SELECT ts, venue, symbol, last(mark_price / index_price - 1.0) AS said
        FROM funding
        WHERE kind = 'predicted' AND ts >= date_trunc('minute', dateadd('m', -5, @from)) AND ts < dateadd('m', 1, @to)
        SAMPLE BY 1m
      ) q ON b.ts = q.ts AND b.venue = q.venue AND b.symbol = q.symbol
      LEFT JOIN (
        SELECT DISTINCT m.ts, g.venue, g.symbol, true AS missing
        FROM (
          SELECT generate_series AS ts FROM generate_series(
            date_trunc('minute', dateadd('m', -5, @from))::timestamp_ns, date_trunc('minute', @to)::timestamp_ns, '1m')
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

-- basis: the version of basis that new work should read.
CREATE OR REPLACE VIEW basis AS (SELECT * FROM basis_v1);
