-- Candles of one symbol, and the average price of what we bought and sold in each.
SELECT b.time, b.open, b.high, b.low, b.close, b.volume, f.bought, f.sold
FROM (
  SELECT ts AS time, first(open) AS open, max(high) AS high, min(low) AS low, last(close) AS close,
         sum(volume) AS volume
  FROM bars_1m
  WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND venue IN (${venue:sqlstring}) AND symbol = '${chart}'
  SAMPLE BY $__interval
) b
LEFT JOIN (
  SELECT ts AS time,
         sum(CASE WHEN side = 'buy' THEN cost::DOUBLE END)
           / sum(CASE WHEN side = 'buy' THEN quantity::DOUBLE END) AS bought,
         sum(CASE WHEN side = 'sell' THEN cost::DOUBLE END)
           / sum(CASE WHEN side = 'sell' THEN quantity::DOUBLE END) AS sold
  FROM fills
  WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND account IN (${account:sqlstring}) AND symbol = '${chart}'
  SAMPLE BY $__interval
) f ON f.time = b.time
ORDER BY b.time
