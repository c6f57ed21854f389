-- model_events: every step as it was mirrored.
SELECT e.ts::long AS ts, e.model, e.version, e.event, e.who, e.seq, e.reason, e.run_id
FROM model_events e WHERE e.ts >= %(lo)s AND e.ts < %(hi)s LIMIT %(rows_max)s;
