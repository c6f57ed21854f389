-- Maintenance windows: alarms and new risk wait while one is open.
SELECT ts AS time, state, who, why, until FROM maintenance ORDER BY time DESC LIMIT 20
