-- Statements that run now, the oldest first.
SELECT datediff('s', query_start, now()) AS running_s, worker_pool AS pool, username, state, query
FROM query_activity() ORDER BY running_s DESC LIMIT 50
