-- beats: the last heartbeat of every instance that beat since a moment.
SELECT s.ts::long AS ts_ns, s.service, s.instance, s.state, s.version AS version, s.host, s.pid, s.port, s.detail,
       s.capabilities
FROM (SELECT * FROM services WHERE ts >= %(since)s LATEST ON ts PARTITION BY service, instance) s
ORDER BY service, ts_ns DESC;

-- releases: the last heartbeat of every instance that beat since a moment, with the release it is of.
SELECT s.ts::long AS ts_ns, s.service, s.instance, s.state, s.version AS version, s.host, s.schema_level
FROM (SELECT * FROM services WHERE ts >= %(since)s LATEST ON ts PARTITION BY service, instance) s
ORDER BY service, instance;
