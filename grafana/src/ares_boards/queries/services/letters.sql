-- The last of what no handler could take, and why.
SELECT ts AS time, subscription, error FROM dead_letters ORDER BY time DESC LIMIT 20
