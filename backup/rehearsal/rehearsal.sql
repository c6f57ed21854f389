-- tables: every table that holds rows of ours, with its column of time and the unit of its partitions.
SELECT table_name AS name, designatedTimestamp AS clock, "partitionBy" AS unit FROM tables()
WHERE table_type = 'T' AND NOT table_name LIKE 'sys.%%' AND NOT table_name LIKE 'telemetry%%' ORDER BY table_name;

-- columns: the columns of a table, in order of their names.
SELECT "column" AS name, type FROM table_columns(%(table)s) ORDER BY "column";

-- partitions: how many rows each partition of a table has; parts of one that was split are as they are.
SELECT name, "numRows" AS rows FROM table_partitions(%(table)s);

-- views: every view, and whether QuestDB takes it for valid.
SELECT view_name AS name, 'view' AS kind, view_status AS status FROM views()
UNION ALL
SELECT view_name, 'materialized view', view_status FROM materialized_views();

-- partition_rows: the rows of a partition as a client reads them; names are the catalogue's own.
SELECT {columns} FROM "{table}" WHERE "{clock}" IN '{partition}';

-- all_rows: the rows of a table that has no partitions.
SELECT {columns} FROM "{table}";

-- view_rows: whether a view answers; names are the catalogue's own.
SELECT * FROM "{view}" LIMIT 100;

-- smoke_table: a table of our own, to write to.
CREATE TABLE IF NOT EXISTS rehearsal_smoke (
  ts TIMESTAMP_NS, side SYMBOL, n LONG, price DECIMAL(28,10), note VARCHAR
) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, n);

-- smoke_count: what came of writing.
SELECT count() AS rows, count_distinct(n) AS numbers, sum(price) AS total FROM rehearsal_smoke;

-- smoke_drop: as it was.
DROP TABLE IF EXISTS rehearsal_smoke;
