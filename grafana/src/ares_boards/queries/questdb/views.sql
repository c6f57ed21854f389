-- Every materialized view: whether it is valid, how far it is behind its base, and what made it invalid.
SELECT view_name AS name, view_status AS state, base_table_name AS base,
       base_table_txn - refresh_base_table_txn AS waiting,
       last_refresh_finish_timestamp AS refreshed, invalidation_reason AS error
FROM materialized_views() ORDER BY name
