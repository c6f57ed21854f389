-- running: statements that run now, oldest first, and for how long (µs). WAL apply and refreshes of views are not among them.
SELECT query_id, worker_pool, (now() - query_start)::long AS age_us, query FROM query_activity()
WHERE state = 'active' AND NOT is_wal AND worker_pool IN ('pgwire', 'shared-network', 'http') ORDER BY query_start;

-- memory: what sorts, groups, joins and windows of all statements hold together, bytes.
SELECT sum(bytes) AS held FROM memory_metrics()
WHERE memory_tag IN ('NATIVE_UNORDERED_MAP', 'NATIVE_FAST_MAP', 'NATIVE_FAST_MAP_INT_LIST', 'NATIVE_COMPACT_MAP',
  'NATIVE_RECORD_CHAIN', 'NATIVE_TREE_CHAIN', 'NATIVE_GROUP_BY_FUNCTION', 'NATIVE_JOIN_MAP', 'NATIVE_ROSTI',
  'NATIVE_LONG_LIST', 'NATIVE_SAMPLE_BY_LONG_LIST', 'NATIVE_LATEST_BY_LONG_LIST', 'NATIVE_DEFAULT', 'NATIVE_CIRCULAR_BUFFER');

-- cancel: end a statement.
CANCEL QUERY this_id;
