-- errands: what people asked for that takes long, each at its newest step, newest first.
SELECT ts::long AS ts, kind, state, asked_by, errand_id, seq, asked_at::long AS asked_at, started_at::long AS started_at,
       who, arguments, progress, share, outcome, error
FROM (errands LATEST ON ts PARTITION BY errand_id)
WHERE ts >= %(since)s AND ts <= %(until)s AND (%(askers)s = '' OR asked_by ~ %(askers)s)
  AND (%(kind)s = '' OR kind = %(kind)s) AND (%(state)s = '' OR state = %(state)s)
ORDER BY ts DESC, errand_id LIMIT %(skip)s, %(end)s;

-- report: where the page of a backtest was written, and whose strategy it is about.
SELECT strategy, report FROM backtests WHERE run_id = %(run_id)s ORDER BY ts DESC LIMIT 1;
