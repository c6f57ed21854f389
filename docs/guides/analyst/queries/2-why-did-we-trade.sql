-- Why did we trade? Each fill with the decision behind it and the signal the decision saw.
SELECT f.ts, f.symbol, f.side, f.quantity, f.price, d.strategy, d.target, d.mark, d.signal_ts, d.reason
FROM fills f JOIN decisions d ON f.order_id = d.client_order_id
ORDER BY f.ts DESC LIMIT 20
