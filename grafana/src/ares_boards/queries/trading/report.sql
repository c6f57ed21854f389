-- What each strategy did with each symbol in the chosen time: fills, turnover, fees, profit that was realised.
DECLARE @from := $__timeFrom(), @to := $__timeTo()
SELECT strategy, symbol, fills, volume_quote::DOUBLE AS turnover, fees_quote::DOUBLE AS fees,
       funding_quote::DOUBLE AS funding, realised_quote::DOUBLE AS realised
FROM trader_report
WHERE account IN (${account:sqlstring}) AND venue IN (${venue:sqlstring}) AND symbol IN (${symbol:sqlstring})
  AND strategy IN (${strategy:sqlstring})
ORDER BY strategy, symbol
