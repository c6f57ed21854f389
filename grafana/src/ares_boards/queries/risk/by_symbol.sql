-- What is at risk in each symbol: held now, and at most if open orders are executed.
SELECT symbol, sum(held_quote) AS held, sum(open_buys_quote) AS open_buys, sum(open_sells_quote) AS open_sells,
       sum(worst_case_quote) AS worst_case
FROM exposure
WHERE account IN (${account:sqlstring}) AND venue IN (${venue:sqlstring}) AND symbol IN (${symbol:sqlstring})
GROUP BY symbol
ORDER BY worst_case DESC
