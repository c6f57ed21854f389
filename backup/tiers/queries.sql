-- keys: the columns that identify a row, as the table lists them.
SELECT "column" AS name FROM table_columns(%(table)s) WHERE upsertKey;

-- partitions: of a table, oldest first, with their size on disk; one may lie in parts, with names that begin alike.
SELECT name, partitionBy AS unit, numRows AS rows, diskSize AS size_bytes, isParquet AS is_parquet, active
FROM table_partitions(%(table)s) ORDER BY name;

-- clock: the server's own. By it, or by a table's newest row if that is older, it judges how old partitions are.
SELECT now()::long AS now_us;

-- bases: tables of which a materialized view is made.
SELECT DISTINCT base_table_name AS name FROM materialized_views();

-- ttl: after how long a table drops rows by itself; 0: never.
SELECT ttlValue AS value, ttlUnit AS unit FROM tables() WHERE table_name = %(table)s;

-- days: rows of each day, venue and symbol. `this_table` stands for its name, which no parameter can.
SELECT venue, symbol, timestamp_floor('d', ts)::long AS day_ns, count() AS rows FROM this_table
WHERE ts >= %(from)s AND ts < %(to)s GROUP BY venue, symbol, day_ns ORDER BY day_ns, venue, symbol;

-- cold: what of a table is in the cold tier, the newest revision of each day last.
SELECT venue, symbol, ts::long AS day_ns, state, revision, rows, row_hash, location, delta_version,
  native_bytes, parquet_bytes, delta_bytes, recorded_at::long AS recorded_ns
FROM cold_partitions WHERE table_name = %(table)s ORDER BY ts, venue, symbol, revision;

-- proved_to: up to when what was acknowledged is in a backup that was restored and compared.
SELECT proved_to::long AS proved_ns FROM restore_drills WHERE status = 'ok' AND proved_to IS NOT NULL
ORDER BY proved_to DESC LIMIT 1;

-- open_gaps: ranges that may still be fetched.
SELECT gap_id, venue, symbol, channel, started_at::long AS from_ns, ended_at::long AS to_ns
FROM (SELECT * FROM gaps LATEST ON ts PARTITION BY gap_id) WHERE status = 'open' ORDER BY gap_id;

-- datasets: the newest state of each version.
SELECT name, version, status, source, location, sha256, span_from::long AS from_ns, span_to::long AS to_ns
FROM datasets ORDER BY ts;

-- pinned: versions of a Delta table that a dataset names.
SELECT DISTINCT delta_version FROM datasets WHERE location = %(location)s AND delta_version IS NOT NULL;

-- models: fitted ones, and the span of what they were fitted on.
SELECT model, version, train_from::long AS from_ns, train_to::long AS to_ns FROM training_runs WHERE status = 'ok'
ORDER BY ts;

-- frozen: minutes that have a bar, of which so many are not frozen, by day, of what is frozen at all. A frozen bar is
-- the last that is written of its minute: its features and signals are there too.
WITH shown AS (
  SELECT ts, venue, symbol, timestamp_floor('d', ts)::long AS day_ns FROM bars_1m WHERE ts >= %(from)s AND ts < %(to)s
), kept AS (
  SELECT DISTINCT ts AS kept_ts, venue, symbol FROM bar_facts
  WHERE interval = '1m' AND ts >= %(from)s AND ts < %(to)s
), analysed AS (SELECT DISTINCT venue, symbol FROM bar_facts)
SELECT venue, symbol, day_ns, count() AS minutes, sum(missing) AS unfrozen FROM (
  SELECT s.venue AS venue, s.symbol AS symbol, s.day_ns AS day_ns,
    CASE WHEN k.kept_ts IS NULL THEN 1 ELSE 0 END AS missing
  FROM shown s JOIN analysed a ON a.venue = s.venue AND a.symbol = s.symbol
  LEFT JOIN kept k ON k.venue = s.venue AND k.symbol = s.symbol AND k.kept_ts = s.ts
) GROUP BY venue, symbol, day_ns;

-- copied: rows of a table that a target of copies was sent, by day.
SELECT timestamp_floor('d', ts)::long AS day_ns, sum(row_count) AS rows FROM copies
WHERE target = %(target)s AND table_name = %(table)s GROUP BY day_ns;

-- export_day: all rows of a day of a venue and symbol, in the order of time.
SELECT *, %(day)s::varchar AS day FROM this_table
WHERE ts >= %(from)s AND ts < %(to)s AND venue = %(venue)s AND symbol = %(symbol)s;

-- columns: of a table.
SELECT "column" AS name, type AS kind FROM table_columns(%(table)s);

-- sample: the first rows of a day of a venue and symbol, or by a negative number its last; `these_cells` are its columns.
SELECT these_cells FROM this_table
WHERE ts >= %(from)s AND ts < %(to)s AND venue = %(venue)s AND symbol = %(symbol)s LIMIT %(rows)s;

-- export_span: all rows of a span of time, in the order of time. Without a condition on another column QuestDB 9.3.4
-- sends several Parquet partitions as they lie, with a dictionary each in one column chunk: a file nobody can read.
SELECT * FROM this_table WHERE ts >= %(from)s AND ts < %(to)s AND venue <> '';

-- to_parquet: make a partition Parquet where it lies. `this_partition` stands for its name.
ALTER TABLE this_table CONVERT PARTITION TO PARQUET LIST 'this_partition';

-- drop_partitions: of a table that no materialized view is made of.
ALTER TABLE this_table DROP PARTITION LIST these_partitions;

-- set_ttl: drop what is older now. `this_age` stands for a number of `this_unit`.
ALTER TABLE this_table SET TTL this_age this_unit;
