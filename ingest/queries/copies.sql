-- What the copy to an InfluxDB asks: which spans of a table it does not have as they are now, and their rows.
-- Every table has the same two queries. All times come as nanoseconds; a span is compared by its rows' number and delays.
-- What was refused is tried again where that was before %(again_ns)s.

-- partitions: how many rows a table's partitions have and between which times.
SELECT name, numRows AS row_count, minTimestamp::long AS first_ns, maxTimestamp::long AS last_ns
FROM table_partitions(%(table)s) WHERE numRows > 0 ORDER BY last_ns DESC;

-- totals: what a target has of each table, and of what it refused.
SELECT table_name, sum(row_count) AS row_count, sum(refused) AS refused, max(ts)::long AS last_ns, max(sent_at) AS sent_at
FROM copies WHERE target = %(target)s GROUP BY table_name;

-- trades_spans: spans of trades that are other than the target has them, oldest first.
WITH here AS (
  SELECT ts, count() AS row_count, coalesce(sum((received_at::long - ts::long) / 1000000), 0) AS delay_ms FROM trades
  WHERE ts >= cast(%(from_ns)s AS timestamp_ns) AND ts < cast(%(to_ns)s AS timestamp_ns)
  SAMPLE BY 10s ALIGN TO CALENDAR
), there AS (
  SELECT ts, row_count, delay_ms, refused, sent_at FROM copies WHERE target = %(target)s AND table_name = 'trades'
    AND ts >= cast(%(from_ns)s AS timestamp_ns) AND ts < cast(%(to_ns)s AS timestamp_ns)
)
SELECT here.ts::long AS start_ns, here.row_count, here.delay_ms FROM here LEFT JOIN there ON here.ts = there.ts
WHERE there.row_count IS NULL OR there.row_count <> here.row_count OR there.delay_ms <> here.delay_ms
  OR (there.refused > 0 AND there.sent_at < cast(%(again_ns)s AS timestamp_ns))
ORDER BY start_ns LIMIT %(spans_max)s;

-- trades_rows: rows of trades between two times, oldest first.
SELECT ts::long AS ts_ns, venue, symbol, side, source, trade_id, seq, price, amount, received_at::long AS received_at_ns
FROM trades WHERE ts >= cast(%(from_ns)s AS timestamp_ns) AND ts < cast(%(to_ns)s AS timestamp_ns)
ORDER BY ts LIMIT %(rows_max)s;

-- trades_archive_spans: spans of trades_archive that are other than the target has them, oldest first.
WITH here AS (
  SELECT ts, count() AS row_count, coalesce(sum((received_at::long - ts::long) / 1000000), 0) AS delay_ms FROM trades_archive
  WHERE ts >= cast(%(from_ns)s AS timestamp_ns) AND ts < cast(%(to_ns)s AS timestamp_ns)
  SAMPLE BY 10s ALIGN TO CALENDAR
), there AS (
  SELECT ts, row_count, delay_ms, refused, sent_at FROM copies WHERE target = %(target)s AND table_name = 'trades_archive'
    AND ts >= cast(%(from_ns)s AS timestamp_ns) AND ts < cast(%(to_ns)s AS timestamp_ns)
)
SELECT here.ts::long AS start_ns, here.row_count, here.delay_ms FROM here LEFT JOIN there ON here.ts = there.ts
WHERE there.row_count IS NULL OR there.row_count <> here.row_count OR there.delay_ms <> here.delay_ms
  OR (there.refused > 0 AND there.sent_at < cast(%(again_ns)s AS timestamp_ns))
ORDER BY start_ns LIMIT %(spans_max)s;

-- trades_archive_rows: rows of trades_archive between two times, oldest first.
SELECT ts::long AS ts_ns, venue, symbol, side, source, trade_id, seq, price, amount, received_at::long AS received_at_ns
FROM trades_archive WHERE ts >= cast(%(from_ns)s AS timestamp_ns) AND ts < cast(%(to_ns)s AS timestamp_ns)
ORDER BY ts LIMIT %(rows_max)s;

-- quotes_spans: spans of quotes that are other than the target has them, oldest first.
WITH here AS (
  SELECT ts, count() AS row_count, coalesce(sum((received_at::long - ts::long) / 1000000), 0) AS delay_ms FROM quotes
  WHERE ts >= cast(%(from_ns)s AS timestamp_ns) AND ts < cast(%(to_ns)s AS timestamp_ns)
  SAMPLE BY 10s ALIGN TO CALENDAR
), there AS (
  SELECT ts, row_count, delay_ms, refused, sent_at FROM copies WHERE target = %(target)s AND table_name = 'quotes'
    AND ts >= cast(%(from_ns)s AS timestamp_ns) AND ts < cast(%(to_ns)s AS timestamp_ns)
)
SELECT here.ts::long AS start_ns, here.row_count, here.delay_ms FROM here LEFT JOIN there ON here.ts = there.ts
WHERE there.row_count IS NULL OR there.row_count <> here.row_count OR there.delay_ms <> here.delay_ms
  OR (there.refused > 0 AND there.sent_at < cast(%(again_ns)s AS timestamp_ns))
ORDER BY start_ns LIMIT %(spans_max)s;

-- quotes_rows: rows of quotes between two times, oldest first.
SELECT ts::long AS ts_ns, venue, symbol, ts_source, update_id, bid, bid_amount, ask, ask_amount, received_at::long AS received_at_ns
FROM quotes WHERE ts >= cast(%(from_ns)s AS timestamp_ns) AND ts < cast(%(to_ns)s AS timestamp_ns)
ORDER BY ts LIMIT %(rows_max)s;

-- books_spans: spans of books that are other than the target has them, oldest first.
WITH here AS (
  SELECT ts, count() AS row_count, coalesce(sum((received_at::long - ts::long) / 1000000), 0) AS delay_ms FROM books
  WHERE ts >= cast(%(from_ns)s AS timestamp_ns) AND ts < cast(%(to_ns)s AS timestamp_ns)
  SAMPLE BY 10s ALIGN TO CALENDAR
), there AS (
  SELECT ts, row_count, delay_ms, refused, sent_at FROM copies WHERE target = %(target)s AND table_name = 'books'
    AND ts >= cast(%(from_ns)s AS timestamp_ns) AND ts < cast(%(to_ns)s AS timestamp_ns)
)
SELECT here.ts::long AS start_ns, here.row_count, here.delay_ms FROM here LEFT JOIN there ON here.ts = there.ts
WHERE there.row_count IS NULL OR there.row_count <> here.row_count OR there.delay_ms <> here.delay_ms
  OR (there.refused > 0 AND there.sent_at < cast(%(again_ns)s AS timestamp_ns))
ORDER BY start_ns LIMIT %(spans_max)s;

-- books_rows: rows of books between two times, oldest first.
SELECT ts::long AS ts_ns, venue, symbol, ts_source, update_id, bids, asks, received_at::long AS received_at_ns
FROM books WHERE ts >= cast(%(from_ns)s AS timestamp_ns) AND ts < cast(%(to_ns)s AS timestamp_ns)
ORDER BY ts LIMIT %(rows_max)s;

-- gaps_spans: spans of gaps that are other than the target has them, oldest first.
WITH here AS (
  SELECT ts, count() AS row_count, 0::long AS delay_ms FROM gaps
  WHERE ts >= cast(%(from_ns)s AS timestamp_ns) AND ts < cast(%(to_ns)s AS timestamp_ns)
  SAMPLE BY 10s ALIGN TO CALENDAR
), there AS (
  SELECT ts, row_count, delay_ms, refused, sent_at FROM copies WHERE target = %(target)s AND table_name = 'gaps'
    AND ts >= cast(%(from_ns)s AS timestamp_ns) AND ts < cast(%(to_ns)s AS timestamp_ns)
)
SELECT here.ts::long AS start_ns, here.row_count, here.delay_ms FROM here LEFT JOIN there ON here.ts = there.ts
WHERE there.row_count IS NULL OR there.row_count <> here.row_count OR there.delay_ms <> here.delay_ms
  OR (there.refused > 0 AND there.sent_at < cast(%(again_ns)s AS timestamp_ns))
ORDER BY start_ns LIMIT %(spans_max)s;

-- gaps_rows: rows of gaps between two times, oldest first.
SELECT ts::long AS ts_ns, venue, symbol, channel, status, cause, healed_by, gap_id, revision, started_at::long AS started_at_ns,
  ended_at::long AS ended_at_ns, first_seq, last_seq, missing
FROM gaps WHERE ts >= cast(%(from_ns)s AS timestamp_ns) AND ts < cast(%(to_ns)s AS timestamp_ns)
ORDER BY ts LIMIT %(rows_max)s;

-- venue_bars_1m_spans: spans of venue_bars_1m that are other than the target has them, oldest first.
WITH here AS (
  SELECT ts, count() AS row_count, coalesce(sum((received_at::long - ts::long) / 1000000), 0) AS delay_ms FROM venue_bars_1m
  WHERE ts >= cast(%(from_ns)s AS timestamp_ns) AND ts < cast(%(to_ns)s AS timestamp_ns)
  SAMPLE BY 1m ALIGN TO CALENDAR
), there AS (
  SELECT ts, row_count, delay_ms, refused, sent_at FROM copies WHERE target = %(target)s AND table_name = 'venue_bars_1m'
    AND ts >= cast(%(from_ns)s AS timestamp_ns) AND ts < cast(%(to_ns)s AS timestamp_ns)
)
SELECT here.ts::long AS start_ns, here.row_count, here.delay_ms FROM here LEFT JOIN there ON here.ts = there.ts
WHERE there.row_count IS NULL OR there.row_count <> here.row_count OR there.delay_ms <> here.delay_ms
  OR (there.refused > 0 AND there.sent_at < cast(%(again_ns)s AS timestamp_ns))
ORDER BY start_ns LIMIT %(spans_max)s;

-- venue_bars_1m_rows: rows of venue_bars_1m between two times, oldest first.
SELECT ts::long AS ts_ns, venue, symbol, open, high, low, close, volume, cost, trades, buy_volume, received_at::long AS received_at_ns
FROM venue_bars_1m WHERE ts >= cast(%(from_ns)s AS timestamp_ns) AND ts < cast(%(to_ns)s AS timestamp_ns)
ORDER BY ts LIMIT %(rows_max)s;
