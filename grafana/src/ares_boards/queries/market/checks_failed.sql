-- Checks of stored data whose newest result is a failure.
SELECT count() AS checks FROM (
  SELECT grade FROM quality_checks WHERE venue IN (${venue:sqlstring}) AND ts >= dateadd('d', -2, now())
  LATEST ON ts PARTITION BY check_name, venue, symbol, channel
) WHERE grade = 'fail'
