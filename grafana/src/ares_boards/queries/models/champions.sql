-- The version of each model that is in use, since when, and who decided it.
SELECT model, e.version AS champion, event, who, datediff('d', ts, now()) AS age_days, reason
FROM (SELECT * FROM model_events WHERE event IN ('champion', 'rolled_back') LATEST ON ts PARTITION BY model) e
WHERE model IN (${model:sqlstring})
ORDER BY model
