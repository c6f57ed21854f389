-- How old the newest complete data of each symbol are, in seconds; every symbol that was ever collected is listed.
SELECT venue, symbol, channel, datediff('s', watermark, now()) AS age_s
FROM ingest_watermarks
WHERE venue IN (${venue:sqlstring}) AND symbol IN (${symbol:sqlstring}) AND ts >= dateadd('d', -7, now())
LATEST ON ts PARTITION BY venue, symbol, channel
ORDER BY age_s DESC
