-- Share of minutes of the chosen time in which trades of a symbol were complete: no gap was left in them.
SELECT symbol,
       1.0 - sum(missing_s) / (datediff('s', $__timeFrom()::TIMESTAMP, $__timeTo()::TIMESTAMP) * 1.0) AS complete
FROM (
  SELECT w.symbol, 0.0 AS missing_s FROM ingest_watermarks w
  WHERE w.venue IN (${venue:sqlstring}) AND w.symbol IN (${symbol:sqlstring}) AND w.channel = 'trades'
    AND w.ts >= dateadd('d', -7, now()) LATEST ON ts PARTITION BY venue, symbol
  UNION ALL
  SELECT symbol, greatest(0.0, datediff('s', started_at, coalesce(ended_at, now())) * 1.0) AS missing_s
  FROM (
    SELECT * FROM gaps WHERE venue IN (${venue:sqlstring}) AND symbol IN (${symbol:sqlstring}) AND channel = 'trades'
      AND ts >= $__timeFrom() AND ts <= $__timeTo() LATEST ON ts PARTITION BY gap_id
  ) WHERE status <> 'healed'
)
GROUP BY symbol
ORDER BY complete
