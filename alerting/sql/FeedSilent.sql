-- statement: seconds up to which nothing of a feed is acknowledged. Expected is what was collected within two days
-- (history is fetched once, and ends); one without a watermark of the last six hours counts as six hours silent.
SELECT expected.venue AS venue, expected.symbol AS symbol, expected.channel AS channel,
       coalesce(datediff('s', heard.newest, now()), 21600)::DOUBLE AS value
FROM (
  SELECT DISTINCT venue, symbol, channel FROM ingest_watermarks
  WHERE ts > dateadd('d', -2, now()) AND channel <> 'backfill'
) expected
LEFT JOIN (
  SELECT venue, symbol, channel, max(watermark) AS newest
  FROM ingest_watermarks WHERE ts > dateadd('h', -6, now())
) heard ON heard.venue = expected.venue AND heard.symbol = expected.symbol AND heard.channel = expected.channel
