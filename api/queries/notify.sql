-- gaps: revisions of gaps since a moment, oldest first.
SELECT ts::long AS ts, gap_id || '@' || revision AS key, venue, symbol, channel, status, cause, healed_by,
       started_at::long AS started_at, ended_at::long AS ended_at, missing
FROM gaps WHERE ts >= %(since)s ORDER BY ts LIMIT %(rows_max)s;

-- decisions: what limits refused since a moment, once in a quarter of an hour for each strategy, symbol and rule.
SELECT min(ts)::long AS ts, slot::long || account || '/' || strategy || '/' || symbol || '/' || rule AS key,
       account, strategy, symbol, rule, first(reason) AS reason
FROM (SELECT ts, timestamp_floor('15m', ts) AS slot, account, strategy, symbol, rule, reason FROM decisions
      WHERE ts >= %(since)s AND action = 'refuse')
GROUP BY slot, account, strategy, symbol, rule ORDER BY ts LIMIT %(rows_max)s;

-- job_runs: runs that ended otherwise than well since a moment, oldest first.
SELECT ts::long AS ts, run_id AS key, job, status, outcome
FROM job_runs WHERE ts >= %(since)s AND seq = 1 AND status != 'ok' ORDER BY ts LIMIT %(rows_max)s;

-- backups: copies and checks that failed since a moment, oldest first.
SELECT ts::long AS ts, backup_id AS key, kind, status, error
FROM backups WHERE ts >= %(since)s AND status != 'ok' ORDER BY ts LIMIT %(rows_max)s;

-- restore_drills: drills since a moment, oldest first.
SELECT ts::long AS ts, drill_id AS key, status, rpo_market_s, rto_s, differences, error
FROM restore_drills WHERE ts >= %(since)s ORDER BY ts LIMIT %(rows_max)s;
