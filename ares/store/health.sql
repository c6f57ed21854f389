-- tables: every WAL table, how many transactions wait to be applied, and whether it is suspended.
SELECT name, 'table' AS kind,
       CASE WHEN suspended THEN 'suspended' WHEN sequencerTxn > writerTxn THEN 'behind' ELSE 'ok' END AS state,
       sequencerTxn - writerTxn AS lag
FROM wal_tables() ORDER BY name;

-- materialized_views: every materialized view, how many base transactions it has not seen, and whether it is valid.
SELECT view_name AS name, 'materialized view' AS kind,
       CASE WHEN view_status = 'invalid' THEN 'invalid' WHEN base_table_txn > refresh_base_table_txn THEN 'behind' ELSE 'ok' END AS state,
       base_table_txn - refresh_base_table_txn AS lag
FROM materialized_views() ORDER BY name;
