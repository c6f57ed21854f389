-- tables: what can hold rows, and whether they are of a venue and a symbol (own = 2).
SELECT t.table_name AS name, coalesce(c.own, 0) AS own
FROM tables() t LEFT JOIN (
  SELECT table_name, count() AS own FROM information_schema.columns() WHERE column_name IN ('venue', 'symbol')
) c ON c.table_name = t.table_name
WHERE t.table_type IN ('T', 'M') AND t."designatedTimestamp" = 'ts' ORDER BY t.table_name;

-- whole: all rows of a table. `this_table` stands for its name, which no parameter can.
SELECT min(ts) AS first, max(ts) AS last, count() AS rows FROM "this_table";

-- days: rows of a table by venue, symbol and day. `this_table` stands for its name, which no parameter can.
SELECT ts AS day, venue, symbol, min(at) AS first, max(at) AS last, count() AS rows FROM (
  SELECT ts, ts AS at, venue, symbol FROM "this_table" WHERE ts >= %(from)s AND ts < %(to)s
) TIMESTAMP(ts) SAMPLE BY 1d ALIGN TO CALENDAR ORDER BY day, venue, symbol;

-- gaps: ranges that are missing and were not healed, and touch these days.
SELECT venue, symbol, channel, started_at, ended_at FROM (
  SELECT ts, gap_id, venue, symbol, channel, status, started_at, ended_at FROM gaps LATEST ON ts PARTITION BY gap_id
) WHERE status != 'healed' AND started_at < %(to)s AND (ended_at IS NULL OR ended_at >= %(from)s);

-- minutes: how many minutes of a day were traded, quiet or missing.
DECLARE @from := %(from)s, @to := %(to)s
SELECT ts AS day, venue, symbol, status, count() AS minutes FROM (
  SELECT ts, venue, symbol, status FROM bars_1m_checked WHERE ts < %(to)s
) TIMESTAMP(ts) SAMPLE BY 1d ALIGN TO CALENDAR ORDER BY day, venue, symbol, status;
