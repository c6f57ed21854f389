-- book_imbalance_v1: which side of the book is heavier at the last snapshot of the minute: only bids = 1, only asks
-- = -1.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: books, gaps, bars_1m_checked (its minutes).
-- Unit: -1 to 1, over the recorded levels.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: none. NULL in a minute that a gap of books touches, and where none are recorded: history has none.
-- Owner: research.
-- Checks: between -1 and 1 (fail); null share <= 0.2 (warn).
CREATE OR REPLACE VIEW book_imbalance_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now()
  SELECT b.ts, b.venue, b.symbol, CASE WHEN h.missing THEN NULL ELSE q.value END AS value
  FROM bars_1m_checked b
  LEFT JOIN (
    SELECT ts, venue, symbol,
           arg_max((array_sum(bids[2]) - array_sum(asks[2])) / (array_sum(bids[2]) + array_sum(asks[2])), update_id) AS value
    FROM books
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
        WHERE channel = 'books' LATEST ON ts PARTITION BY gap_id
      ) WHERE status != 'healed' AND started_at <= dateadd('m', 1, @to)
    ) g
    WHERE g.started_at < dateadd('m', 1, m.ts) AND (g.ended_at IS NULL OR g.ended_at >= m.ts)
  ) h ON b.ts = h.ts AND b.venue = h.venue AND b.symbol = h.symbol
);

-- book_imbalance: the version of book_imbalance that new work should read.
CREATE OR REPLACE VIEW book_imbalance AS (SELECT * FROM book_imbalance_v1);
