-- steps: every step of an order, as the journal mirrored it.
SELECT ts::long AS ts_ns, account, venue, symbol, strategy, event, state, side, type, time_in_force, seq, venue_order_id,
       cycle_id, correlation_id, quantity, price, filled_quantity, reason, stop_price, trailing_bips, list_id
FROM order_events WHERE order_id = %(order_id)s AND ts >= %(since)s ORDER BY seq;

-- plan: the decision that is carried out in several orders, of which an order is one.
SELECT ts::long AS ts_ns, event, policy, side, plan_id, quantity, mark, orders, filled_quantity, filled_cost,
       shortfall_bips, reason
FROM execution_plans WHERE correlation_id = %(correlation_id)s AND ts >= %(since)s ORDER BY ts;

-- plan_orders: all orders of a plan, each with what became of it.
SELECT ts::long AS ts_ns, order_id, side, type, time_in_force, state, quantity, price, filled_quantity FROM orders
WHERE correlation_id = %(correlation_id)s AND ts >= %(since)s ORDER BY ts;

-- newest_orders: the ids of the last orders, for somebody who asks for one that is not there.
SELECT order_id FROM orders ORDER BY ts DESC LIMIT 3;

-- decision: what decided on an order. (`version` is qualified: QuestDB takes the bare word for its function.)
SELECT d.ts::long AS ts_ns, d.strategy, d.version, d.action, d.reason, d.state, d.signal_ts::long AS signal_ts_ns,
       d.signal_known_at::long AS signal_known_at_ns, d.target, d.mark, d.quantity, d.target_quantity, d.order_quantity
FROM decisions d WHERE d.client_order_id = %(order_id)s AND d.ts >= %(since)s ORDER BY d.ts DESC LIMIT 1;

-- signal: the revision of a signal that a decision saw.
SELECT s.known_at::long AS known_at_ns, s.target, s.confidence, s.model_version, s.revision, s.known_at_kind
FROM signal_values s
WHERE s.venue = %(venue)s AND s.symbol = %(symbol)s AND s.strategy = %(strategy)s AND s.version = %(version)s
  AND s.ts >= %(lo)s AND s.ts <= %(hi)s AND s.ts::long = %(ts_ns)s AND s.known_at::long <= %(known_at_ns)s
ORDER BY s.revision DESC LIMIT 1;

-- prediction: the score that a signal of a model rests on.
SELECT p.known_at::long AS known_at_ns, p.model, p.version AS model_version, p.score FROM predictions p
WHERE p.venue = %(venue)s AND p.symbol = %(symbol)s AND p.version = %(model_version)s
  AND p.ts >= %(lo)s AND p.ts <= %(hi)s AND p.ts::long = %(ts_ns)s AND p.known_at::long <= %(known_at_ns)s LIMIT 1;

-- features: every feature of the signal's bar, each in the newest revision that was known with the signal.
SELECT n.name, n.feature_version, n.value, n.known_at_ns FROM (
  SELECT f.name, f.version AS feature_version, f.value, f.known_at::long AS known_at_ns,
         row_number() OVER (PARTITION BY f.name, f.version ORDER BY f.revision DESC) AS newness
  FROM feature_values f
  WHERE f.venue = %(venue)s AND f.symbol = %(symbol)s AND f.ts >= %(lo)s AND f.ts <= %(hi)s
    AND f.ts::long = %(ts_ns)s AND f.known_at::long <= %(known_at_ns)s
) n WHERE n.newness = 1 ORDER BY n.name, n.feature_version;

-- bar: the minute that the signal rests on, as it was known with the signal.
SELECT b.known_at::long AS known_at_ns, b.status, b.close, b.volume, b.trades FROM bar_facts b
WHERE b.venue = %(venue)s AND b.symbol = %(symbol)s AND b.interval = '1m' AND b.ts >= %(lo)s AND b.ts <= %(hi)s
  AND b.ts::long = %(ts_ns)s AND b.known_at::long <= %(known_at_ns)s ORDER BY b.revision DESC LIMIT 1;

-- tick: the last trade of that minute.
SELECT t.ts::long AS ts_ns, t.received_at::long AS received_at_ns, t.price, t.amount, t.side, t.trade_id FROM trades t
WHERE t.venue = %(venue)s AND t.symbol = %(symbol)s AND t.ts >= %(lo)s AND t.ts < %(bar_end)s ORDER BY t.ts DESC LIMIT 1;

-- fills: what was executed of an order.
SELECT ts::long AS ts_ns, received_at::long AS received_at_ns, fill_id, quantity, price, fee, fee_currency, liquidity
FROM fills WHERE order_id = %(order_id)s AND ts >= %(since)s ORDER BY ts, fill_id;
