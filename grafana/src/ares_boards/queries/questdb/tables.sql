-- Every table: whether it is applied, how many transactions wait, and what it takes.
SELECT w.name,
       CASE WHEN w.suspended THEN 'suspended' WHEN w.sequencerTxn > w.writerTxn THEN 'behind' ELSE 'ok' END AS state,
       w.sequencerTxn - w.writerTxn AS waiting, s.rowCount AS rows, s.partitionCount AS partitions, s.diskSize AS bytes,
       w.errorMessage AS error
FROM wal_tables() w JOIN table_storage() s ON s.tableName = w.name
WHERE s.partitionBy <> 'N/A'
ORDER BY CASE WHEN w.suspended THEN 0 ELSE 1 END, bytes DESC
