-- Did it pay to follow a strategy: the mean return of the five minutes after its signals, by which way they pointed.
SELECT s.strategy, s.symbol, CASE WHEN s.target > 0.1 THEN 'long' WHEN s.target < -0.1 THEN 'short' ELSE 'flat' END AS wish,
       count() AS bars, avg(later.close / bar.close - 1.0) * 10000.0 AS mean_return_bp
FROM (SELECT ts, venue, symbol, strategy, target, dateadd('m', 5, ts) AS later_ts FROM signals) s
JOIN (SELECT ts, venue, symbol, close FROM bars_asof) bar ON bar.ts = s.ts AND bar.venue = s.venue AND bar.symbol = s.symbol
JOIN (SELECT ts, venue, symbol, close FROM bars_asof) later
  ON later.ts = s.later_ts AND later.venue = s.venue AND later.symbol = s.symbol
ORDER BY strategy, symbol, wish;
