-- Decisions that were carried out in several orders, and what came of them.
SELECT ts AS time, symbol, strategy, policy, side, quantity::DOUBLE AS quantity, filled_quantity::DOUBLE AS filled,
       orders, shortfall_bips::DOUBLE AS shortfall_bips, reason
FROM execution_plans
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND account IN (${account:sqlstring}) AND event = 'ended'
  AND symbol IN (${symbol:sqlstring}) AND strategy IN (${strategy:sqlstring})
ORDER BY time DESC LIMIT 50
