-- Of the bars that got a score, how many had risen after the horizon: on the diagonal a probability means what it says.
SELECT round(floor(score * 10.0) / 10.0 + 0.05, 2)::VARCHAR AS about, avg(rose) AS rose
FROM (
  SELECT p.score, CASE WHEN b.close > a.close THEN 1.0 ELSE 0.0 END AS rose
  FROM predictions p
  JOIN bars_1m a ON a.ts = p.ts AND a.venue = p.venue AND a.symbol = p.symbol
  JOIN (SELECT dateadd('m', -${horizon}, ts) AS before, venue, symbol, close FROM bars_1m WHERE ts >= $__timeFrom()) b
    ON b.before = p.ts AND b.venue = p.venue AND b.symbol = p.symbol
  WHERE p.ts >= $__timeFrom() AND p.ts <= $__timeTo() AND a.ts >= $__timeFrom() AND a.ts <= $__timeTo()
    AND p.model IN (${model:sqlstring}) AND p.score IS NOT NULL AND (p.served OR p.role IS NULL)
)
GROUP BY about
ORDER BY about
