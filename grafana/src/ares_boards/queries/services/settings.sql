-- Changes of the settings, refused ones too.
SELECT ts AS time, c.version AS number, status, cause, instance, coalesce(error, changes) AS changes, why
FROM config_versions c ORDER BY time DESC LIMIT 20
