-- suspended: tables and views to which QuestDB stopped applying what was written, and why.
SELECT name, errorTag || ' ' || errorMessage AS cause FROM wal_tables() WHERE suspended ORDER BY name;

-- behind: commits that the table furthest behind has not applied yet. One that applies nothing is told by `suspended`.
SELECT sum(transactions) AS transactions FROM (
  SELECT max(sequencerTxn - writerTxn) AS transactions FROM wal_tables() WHERE NOT suspended
);

-- views: materialized views, what they are made of, and why they are not refreshed any more, if so.
SELECT view_name AS name, base_table_name AS base, view_status AS status, invalidation_reason AS cause
FROM materialized_views() ORDER BY name;

-- oldest: the first day of a table or view, by its partitions.
SELECT to_str(min(minTimestamp), 'yyyy-MM-dd') AS day FROM table_partitions(%(name)s) WHERE numRows > 0;

-- resume_table: apply what was written since. `this_table` stands for its name, which no parameter can.
ALTER TABLE "this_table" RESUME WAL;

-- resume_view: the same of a materialized view.
ALTER MATERIALIZED VIEW "this_table" RESUME WAL;

-- rebuild: delete all of a materialized view, and compute it again.
REFRESH MATERIALIZED VIEW "this_table" FULL;
