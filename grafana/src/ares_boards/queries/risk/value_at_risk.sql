-- What an ordinary bad hour costs: for each symbol the loss that one of twenty hours of 30 days exceeded, times the
-- most that may be held. Symbols add up: none is thought to make up for another.
SELECT x.symbol, x.worst_case AS worst_case, h.loss AS bad_hour, abs(x.worst_case) * h.loss AS value_at_risk
FROM (
  SELECT venue, symbol, sum(worst_case_quote) AS worst_case FROM exposure
  WHERE account IN (${account:sqlstring}) AND venue IN (${venue:sqlstring}) AND symbol IN (${symbol:sqlstring})
  GROUP BY venue, symbol
) x
JOIN (
  SELECT venue, symbol, loss FROM (
    SELECT venue, symbol, loss, row_number() OVER (PARTITION BY venue, symbol ORDER BY loss DESC) AS place,
           count(loss) OVER (PARTITION BY venue, symbol) AS known
    FROM (
      SELECT venue, symbol, CASE WHEN close < before THEN 1.0 - close / before ELSE 0.0 END AS loss
      FROM (
        SELECT ts, venue, symbol, close, lag(close) OVER (PARTITION BY venue, symbol ORDER BY ts) AS before
        FROM bars_1h WHERE venue IN (${venue:sqlstring}) AND ts >= dateadd('d', -30, now())
      ) WHERE before IS NOT NULL
    )
  ) WHERE known >= 48 AND place = known / 20 + 1
) h ON h.venue = x.venue AND h.symbol = x.symbol
ORDER BY value_at_risk DESC
