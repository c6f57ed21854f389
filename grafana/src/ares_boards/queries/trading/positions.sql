-- What each strategy holds, what it cost and what it earned; flat ones are left out.
SELECT symbol, strategy, venue, quantity::DOUBLE AS quantity, average_price::DOUBLE AS average_price, mark,
       unrealised_quote, realised_quote, funding_quote, pnl_quote
FROM pnl
WHERE account IN (${account:sqlstring}) AND venue IN (${venue:sqlstring}) AND symbol IN (${symbol:sqlstring})
  AND strategy IN (${strategy:sqlstring}) AND quantity::DOUBLE <> 0.0
ORDER BY symbol, strategy
