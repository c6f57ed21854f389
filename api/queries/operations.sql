-- services: what runs, by the newest heartbeat of each.
SELECT ts::long AS ts, service, instance, state, s.version AS version, pid, port, detail, host, capabilities, resident_mb,
       cpu_s, open_files, threads
FROM (services LATEST ON ts PARTITION BY service, instance) s
WHERE ts >= dateadd('d', -1, now())
ORDER BY service, instance LIMIT %(skip)s, %(end)s;

-- jobs: runs of scheduled jobs and how they ended, newest first.
SELECT ts::long AS ts, job, status, cause, run_id, seq, slot::long AS slot, duration_s, outcome
FROM job_runs WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(job)s = '' OR job = %(job)s) AND (%(status)s = '' OR status = %(status)s)
ORDER BY ts DESC, run_id, seq DESC LIMIT %(skip)s, %(end)s;

-- logs: what services say, newest first.
SELECT ts::long AS ts, service, level, instance, module, event, seq, correlation_id, trace_id, fields
FROM logs WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(service)s = '' OR service = %(service)s) AND (%(level)s = '' OR level = %(level)s)
  AND (%(event)s = '' OR event = %(event)s) AND (%(correlation_id)s = '' OR correlation_id = %(correlation_id)s)
  AND (%(trace_id)s = '' OR trace_id = %(trace_id)s)
ORDER BY ts DESC, service, instance, seq DESC LIMIT %(skip)s, %(end)s;

-- alerts: firings, their ends, and what the trader was asked for because of them, newest first.
SELECT ts, account, strategy, name, step, severity, team, asked, summary, fingerprint, starts_at, ends_at, labels, stream,
       seq FROM (
  SELECT ts::long AS ts, type AS step, stream, seq, json_extract(payload, '$.name')::varchar AS name,
         json_extract(payload, '$.labels.account')::varchar AS account,
         json_extract(payload, '$.labels.strategy')::varchar AS strategy,
         json_extract(payload, '$.severity')::varchar AS severity, json_extract(payload, '$.team')::varchar AS team,
         json_extract(payload, '$.action')::varchar AS asked,
         coalesce(json_extract(payload, '$.summary')::varchar, json_extract(payload, '$.detail')::varchar) AS summary,
         json_extract(payload, '$.fingerprint')::varchar AS fingerprint,
         json_extract(payload, '$.starts_at')::varchar AS starts_at,
         json_extract(payload, '$.ends_at')::varchar AS ends_at, json_extract(payload, '$.labels')::varchar AS labels
  FROM events WHERE category IN ('alert', 'alert_action') AND ts >= %(since)s AND ts <= %(until)s
) WHERE (%(accounts)s = '' OR account IS NULL OR account ~ %(accounts)s)
  AND (%(strategies)s = '' OR strategy IS NULL OR strategy ~ %(strategies)s)
  AND (%(account)s = '' OR account = %(account)s) AND (%(strategy)s = '' OR strategy = %(strategy)s)
  AND (%(name)s = '' OR name = %(name)s) AND (%(severity)s = '' OR severity = %(severity)s)
  AND (%(step)s = '' OR step = %(step)s)
ORDER BY ts DESC, stream, seq DESC LIMIT %(skip)s, %(end)s;

-- events: everything that happened, newest first.
SELECT ts::long AS ts, category, type, stream, seq, position, e.version AS version, correlation_id, causation_id,
       attributes, payload
FROM events e WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(category)s = '' OR category = %(category)s) AND (%(type)s = '' OR type = %(type)s)
  AND (%(correlation_id)s = '' OR correlation_id = %(correlation_id)s)
ORDER BY ts DESC, stream, seq DESC LIMIT %(skip)s, %(end)s;

-- audit: who changed what, newest first.
SELECT ts::long AS ts, writer, who, what, seq, before, after, why, correlation_id, previous_hash, hash
FROM audit WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(who)s = '' OR who = %(who)s) AND (%(what)s = '' OR what = %(what)s)
ORDER BY ts DESC, writer, seq DESC LIMIT %(skip)s, %(end)s;

-- backups: copies and what they hold, newest first.
SELECT ts::long AS ts, kind, status, backup_id, snapshot_id, covers_to::long AS covers_to, duration_s, checkpoint_s,
       files, bytes_total, bytes_added, error
FROM backups WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(kind)s = '' OR kind = %(kind)s) AND (%(status)s = '' OR status = %(status)s)
ORDER BY ts DESC, backup_id LIMIT %(skip)s, %(end)s;

-- drills: restores that were proved, with their RPO and RTO, newest first.
SELECT ts::long AS ts, status, drill_id, backup_id, snapshot_id, proved_to::long AS proved_to, rpo_market_s,
       rpo_journal_s, rto_s, bytes_restored, tables, partitions, rows, differences, error
FROM restore_drills WHERE ts >= %(since)s AND ts <= %(until)s AND (%(status)s = '' OR status = %(status)s)
ORDER BY ts DESC, drill_id LIMIT %(skip)s, %(end)s;

-- config: the settings as they changed, newest first; secrets are hidden.
SELECT ts::long AS ts, status, cause, instance, c.version AS version, fingerprint, changes, error, why, settings
FROM config_versions c WHERE ts >= %(since)s AND ts <= %(until)s AND (%(status)s = '' OR status = %(status)s)
ORDER BY ts DESC, version DESC LIMIT %(skip)s, %(end)s;

-- users_history: what was said of users, newest first.
SELECT ts::long AS ts, user, what, who, seq, detail
FROM users_history WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(user)s = '' OR user = %(user)s) AND (%(what)s = '' OR what = %(what)s)
ORDER BY ts DESC, user, seq DESC LIMIT %(skip)s, %(end)s;

-- columns: what every column is and in which unit.
SELECT table_name, column_name, kind, type, unit, place, meaning
FROM (catalog_columns LATEST ON ts PARTITION BY table_name, column_name)
WHERE status = 'there' AND (%(table)s = '' OR table_name = %(table)s)
ORDER BY table_name, place LIMIT %(skip)s, %(end)s;
