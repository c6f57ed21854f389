-- Gaps of the chosen time as they stand now, open ones first.
SELECT venue, symbol, channel, status, cause, healed_by, started_at AS began, ended_at AS ended, missing
FROM (
  SELECT * FROM gaps
  WHERE venue IN (${venue:sqlstring}) AND symbol IN (${symbol:sqlstring}) AND ts >= $__timeFrom() AND ts <= $__timeTo()
  LATEST ON ts PARTITION BY gap_id
)
ORDER BY CASE status WHEN 'open' THEN 0 WHEN 'lost' THEN 1 ELSE 2 END, began DESC LIMIT 100
