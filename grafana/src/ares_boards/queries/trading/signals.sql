-- What every strategy wants now: target from -1 to 1, confidence from 0 to 1, and how old the wish is.
SELECT strategy, symbol, target, confidence, model_version, datediff('s', known_at, now()) AS age_s
FROM (
  SELECT * FROM signal_values
  WHERE venue IN (${venue:sqlstring}) AND symbol IN (${symbol:sqlstring}) AND known_at_kind = 'live'
    AND ts >= dateadd('h', -24, now())
  LATEST ON ts PARTITION BY venue, symbol, strategy
)
WHERE strategy IN (${strategy:sqlstring})
ORDER BY strategy, symbol
