-- statement: for how many seconds each account only reduces because its book and the venue's differ; else 0.
SELECT account,
       CASE WHEN state = 'REDUCING' AND actor = 'reconcile' THEN datediff('s', ts, now()) ELSE 0 END::DOUBLE AS value
FROM trading_state LATEST ON ts PARTITION BY account
