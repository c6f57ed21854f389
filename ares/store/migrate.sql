-- partitions: the partitions of a table, those that late rows split in several as they are.
SELECT name, "partitionBy" AS unit FROM table_partitions(%(table)s);

-- materialized_views: every materialized view with the table or view it rests on.
SELECT view_name AS name, base_table_name AS base FROM materialized_views();
