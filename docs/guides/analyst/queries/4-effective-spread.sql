-- What did taking liquidity cost? Each trade against the quote that stood before it, in basis points, per minute.
SELECT ts, symbol, avg(2 * abs(price - mid) / mid) * 10000 AS effective_spread_bps, count() AS trades
FROM (
  SELECT t.ts, t.symbol, t.price, (q.bid + q.ask) / 2 AS mid
  FROM (SELECT ts, venue, symbol, price FROM trades WHERE ts > dateadd('m', -10, now())) t
  ASOF JOIN (SELECT ts, venue, symbol, bid, ask FROM quotes WHERE ts > dateadd('m', -11, now())) q ON (venue, symbol)
) TIMESTAMP(ts) SAMPLE BY 1m
