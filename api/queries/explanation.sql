-- steps: every step of an order, if it is within; the columns of the collection `order-events`.
SELECT ts::long AS ts, account, venue, symbol, strategy, event, state, side, type, time_in_force, order_id, seq,
       venue_order_id, cycle_id, correlation_id, quantity, price, filled_quantity, filled_cost,
       signal_known_at::long AS signal_known_at, reason, trace_id, stop_price, trailing_bips, list_id
FROM order_events WHERE order_id = %(order_id)s AND ts >= %(since)s
  AND (%(accounts)s = '' OR account ~ %(accounts)s) AND (%(strategies)s = '' OR strategy ~ %(strategies)s)
ORDER BY seq LIMIT %(rows)s;

-- fills: what was executed of it; the columns of `fills`.
SELECT ts::long AS ts, account, venue, symbol, strategy, side, liquidity, fee_currency, fill_id, order_id,
       venue_order_id, correlation_id, quantity, price, cost, fee, fee_quote, received_at::long AS received_at, trace_id
FROM fills WHERE order_id = %(order_id)s AND ts >= %(since)s AND account = %(account)s
ORDER BY ts, fill_id LIMIT %(rows)s;

-- plan: the decision that is carried out in several orders, of which it is one.
SELECT ts::long AS ts, account, venue, symbol, strategy, event, policy, side, plan_id, correlation_id, quantity, mark,
       orders, filled_quantity, filled_cost, shortfall_bips, reason
FROM execution_plans WHERE correlation_id = %(correlation_id)s AND ts >= %(since)s AND account = %(account)s
ORDER BY ts LIMIT %(rows)s;

-- plan_orders: the other orders of that plan, each as it stands now; the columns of `orders`.
SELECT ts::long AS ts, account, venue, symbol, strategy, event, state, side, type, time_in_force, order_id, seq,
       venue_order_id, cycle_id, correlation_id, quantity, price, filled_quantity, filled_cost,
       signal_known_at::long AS signal_known_at, reason, stop_price, trailing_bips, list_id
FROM orders WHERE correlation_id = %(correlation_id)s AND ts >= %(since)s AND account = %(account)s
  AND strategy = %(strategy)s AND order_id != %(order_id)s
ORDER BY ts, order_id LIMIT %(rows)s;

-- decision: what decided on it; the columns of `decisions`.
SELECT ts::long AS ts, account, venue, symbol, strategy, d.version AS version, action, rule, unit, state, cycle_id,
       correlation_id, signal_ts::long AS signal_ts, signal_known_at::long AS signal_known_at, target, confidence, mark,
       quantity, target_quantity, order_quantity, observed, limit_value, limit_scale, client_order_id, reason, warnings,
       trace_id
FROM decisions d WHERE client_order_id = %(decided_id)s AND ts >= %(since)s AND account = %(account)s
ORDER BY d.ts DESC LIMIT 1;

-- refusals: what rules refused of the same signal before.
SELECT ts::long AS ts, account, venue, symbol, strategy, d.version AS version, action, rule, unit, state, cycle_id,
       correlation_id, signal_ts::long AS signal_ts, signal_known_at::long AS signal_known_at, target, confidence, mark,
       quantity, target_quantity, order_quantity, observed, limit_value, limit_scale, client_order_id, reason, warnings,
       trace_id
FROM decisions d WHERE action = 'refuse' AND account = %(account)s AND strategy = %(strategy)s AND symbol = %(symbol)s
  AND ts >= %(signal_known_at)s AND ts < %(decided_at)s AND signal_ts = %(signal_ts)s
ORDER BY ts LIMIT %(rows)s;

-- commands: what people and programs ordered that made, changed or ended it; the columns of `commands`.
SELECT c.ts::long AS ts, c.account, c.actor, c.command, c.status, c.command_id, c.seq, c.arguments, c.outcome
FROM commands c JOIN (
  SELECT DISTINCT command_id FROM commands
  WHERE ts >= %(since)s AND account = %(account)s
    AND (command_id = %(cycle_id)s OR strpos(arguments, %(order_id)s) > 0 OR strpos(outcome, %(order_id)s) > 0)
) named ON c.command_id = named.command_id
WHERE c.ts >= %(since)s AND c.account = %(account)s
ORDER BY c.ts, c.seq LIMIT %(rows)s;

-- signal: the revision that the decision saw; the columns of `signals`.
SELECT ts::long AS ts, known_at::long AS known_at, venue, symbol, strategy, s.version AS version, target, confidence,
       model_version, watermark::long AS watermark, known_at_kind, revision, input_hash
FROM signal_values s
WHERE venue = %(venue)s AND symbol = %(symbol)s AND strategy = %(strategy)s AND s.version = %(version)s
  AND ts = %(signal_ts)s AND known_at <= %(signal_known_at)s
ORDER BY revision DESC LIMIT 1;

-- prediction: the score that the signal of a model rests on; the columns of `predictions`.
SELECT ts::long AS ts, venue, symbol, model, p.version AS version, known_at_kind, score, known_at::long AS known_at, role,
       served
FROM predictions p
WHERE venue = %(venue)s AND symbol = %(symbol)s AND p.version = %(model_version)s
  AND ts = %(signal_ts)s AND known_at <= %(signal_known_at)s LIMIT 1;

-- features: every feature of the signal's bar, each in the newest revision that was known with the signal.
SELECT ts, venue, symbol, name, n.version AS version, value, revision, known_at, known_at_kind, input_hash FROM (
  SELECT f.ts::long AS ts, f.venue, f.symbol, f.name, f.version AS version, f.value, f.revision,
         f.known_at::long AS known_at, f.known_at_kind, f.input_hash,
         row_number() OVER (PARTITION BY f.name, f.version ORDER BY f.revision DESC) AS newness
  FROM feature_values f
  WHERE f.venue = %(venue)s AND f.symbol = %(symbol)s AND f.ts = %(signal_ts)s AND f.known_at <= %(signal_known_at)s
) n WHERE newness = 1 ORDER BY name, version LIMIT %(rows)s;

-- bar: the minute that the signal rests on, as it was known with the signal.
SELECT ts::long AS ts, known_at::long AS known_at, venue, symbol, status, known_at_kind, revision, open, high, low, close,
       volume, trades
FROM bar_facts
WHERE venue = %(venue)s AND symbol = %(symbol)s AND interval = '1m' AND ts = %(signal_ts)s
  AND known_at <= %(signal_known_at)s
ORDER BY revision DESC LIMIT 1;

-- tick: the last trade of that minute; the columns of `trades`.
SELECT t.ts::long AS ts, t.received_at::long AS received_at, t.venue, t.symbol, t.side, t.source, t.trade_id, t.seq,
       t.price, t.amount
FROM trades t WHERE t.venue = %(venue)s AND t.symbol = %(symbol)s AND t.ts >= %(signal_ts)s AND t.ts < %(bar_end)s
ORDER BY t.ts DESC LIMIT 1;
