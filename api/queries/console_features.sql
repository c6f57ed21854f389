-- newest: the newest frozen value of each feature and symbol in the last three hours, its newest revision.
DECLARE @from := dateadd('h', -3, now())
SELECT ts::long AS ts, venue, symbol, name, number AS version, value, revision, known_at::long AS known_at, known_at_kind
FROM (
  SELECT f.ts, f.venue, f.symbol, f.name, f.version AS number, f.value, f.revision, f.known_at, f.known_at_kind
  FROM features_asof f
) LATEST ON ts PARTITION BY venue, symbol, name, number
ORDER BY name, version, venue, symbol LIMIT 5000;
