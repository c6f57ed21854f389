-- features: what is frozen of all features of a span, the newest revision of each.
DECLARE @t := '2200-01-01T00:00:00Z', @from := %(from)s, @to := %(to)s
SELECT ts::long AS ts_ns, symbol, name, version AS number, value FROM features_asof WHERE venue = %(venue)s;

-- scores: what all versions of a model said of the bars of a span.
SELECT ts::long AS ts_ns, symbol, version, score FROM predictions
WHERE venue = %(venue)s AND model = %(model)s AND ts >= %(from)s AND ts <= %(to)s;

-- recent: the newest runs that watched a version, and how many checks failed in each.
SELECT ts::long AS ts_ns, sum(CASE WHEN grade = 'fail' THEN 1 ELSE 0 END) AS fails FROM drift
WHERE venue = %(venue)s AND model = %(model)s AND version = %(version)s AND ts >= %(since)s
GROUP BY ts ORDER BY ts DESC LIMIT 100;
