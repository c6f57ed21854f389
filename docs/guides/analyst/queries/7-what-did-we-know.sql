-- What was known of every feature an hour ago, beside what is known of the same bar now.
SELECT t.symbol, t.name, t.ts, t.value AS known_then, n.value AS known_now, n.revision AS corrections
FROM (
  DECLARE @t := dateadd('h', -1, now())
  SELECT f.ts, f.venue, f.symbol, f.name, f.version, f.value FROM features_asof f
  LATEST ON ts PARTITION BY venue, symbol, name, version
) t
JOIN (SELECT f.ts, f.venue, f.symbol, f.name, f.version, f.value, f.revision FROM features_asof f) n
  ON n.ts = t.ts AND n.venue = t.venue AND n.symbol = t.symbol AND n.name = t.name AND n.version = t.version
ORDER BY symbol, name;
