-- scores: what versions of a model said in the last day, in steps of five minutes.
SELECT ts::long AS ts, symbol, coalesce(role, 'served') AS role, avg(score) AS score
FROM predictions WHERE model = %(model)s AND ts >= dateadd('d', -1, now())
SAMPLE BY 5m ALIGN TO CALENDAR ORDER BY ts, symbol, role LIMIT 20000;

-- shadow: champion and challenger by what both said of the same bars in the last week.
SELECT c.version AS champion, x.version AS challenger, c.symbol AS symbol, count() AS bars, avg(c.score) AS champion_score,
       avg(x.score) AS challenger_score, avg(abs(c.score - x.score)) AS apart,
       avg(CASE WHEN (c.score > 0.5) = (x.score > 0.5) THEN 1.0 ELSE 0.0 END) AS agreed_share
FROM predictions c JOIN predictions x
  ON c.ts = x.ts AND c.venue = x.venue AND c.symbol = x.symbol AND c.model = x.model
WHERE c.model = %(model)s AND c.role = 'champion' AND x.role = 'challenger'
  AND c.ts >= dateadd('d', -7, now()) AND x.ts >= dateadd('d', -7, now())
ORDER BY champion, challenger, symbol LIMIT 200;
