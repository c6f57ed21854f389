-- Materialized views that QuestDB has given up.
SELECT count() AS views FROM materialized_views() WHERE view_status = 'invalid'
