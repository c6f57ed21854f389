-- Steps in the life of versions: registered, candidate, challenger, champion, demoted.
SELECT ts AS time, model, e.version AS model_version, event, who, reason
FROM model_events e WHERE model IN (${model:sqlstring})
ORDER BY time DESC LIMIT 50
