-- suspended: tables and views to which QuestDB stopped applying what was written, and why.
SELECT name, errorTag || ' ' || errorMessage AS cause FROM wal_tables() WHERE suspended ORDER BY name;

-- views: materialized views, what they are made of, and why they are not refreshed any more, if so.
SELECT view_name AS name, base_table_name AS base, view_status AS status, invalidation_reason AS cause
FROM materialized_views() ORDER BY name;
