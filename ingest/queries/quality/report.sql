-- What `ares data quality` shows, and what a run of the checks needs to know.

-- latest: the newest result of every check since %(from)s, what fails first.
SELECT check_name, symbol, channel, grade, observed, warn_limit, fail_limit, unit, detail, ts FROM (
  SELECT * FROM quality_checks WHERE venue = %(venue)s AND ts >= %(from)s
  LATEST ON ts PARTITION BY check_name, venue, symbol, channel
) ORDER BY CASE grade WHEN 'fail' THEN 0 WHEN 'warn' THEN 1 ELSE 2 END, check_name, symbol, channel;

-- certain_until: up to where the trades of a symbol are certain, if that was published in the span.
SELECT max(watermark)::long AS watermark_ns FROM ingest_watermarks
WHERE venue = %(venue)s AND symbol = %(symbol)s AND channel = 'trades' AND ts >= %(from)s;
