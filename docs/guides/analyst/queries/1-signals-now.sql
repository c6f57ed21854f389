-- What does every strategy want right now, and how old is that wish?
SELECT strategy, symbol, ts, target, confidence, model_version, datediff('s', known_at, now()) AS age_s
FROM signals LATEST ON ts PARTITION BY strategy, symbol
