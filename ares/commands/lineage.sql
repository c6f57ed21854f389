-- order: one of our orders, by the id that the venue knows it by.
SELECT account, venue, symbol, strategy, correlation_id, cycle_id FROM order_events
WHERE order_id = %(order_id)s ORDER BY seq LIMIT 1;

-- decision: what decided on an order. (`version` is qualified: QuestDB takes the bare word for its function.)
SELECT d.cycle_id, d.strategy, d.version AS number, d.symbol, d.action, d.signal_ts::long AS signal_ts_ns,
       d.signal_known_at::long AS signal_known_at_ns
FROM decisions d WHERE d.correlation_id = %(correlation_id)s AND d.account = %(account)s ORDER BY d.ts DESC LIMIT 1;

-- signal: the revision of a signal that a decision saw.
SELECT s.model_version, s.revision, s.input_hash FROM signal_values s
WHERE s.venue = %(venue)s AND s.symbol = %(symbol)s AND s.strategy = %(strategy)s AND s.version = %(number)s
  AND s.ts >= %(lo)s AND s.ts <= %(hi)s AND s.ts::long = %(ts_ns)s AND s.known_at::long <= %(known_at_ns)s
ORDER BY s.revision DESC LIMIT 1;

-- prediction: the model whose score a signal rests on.
SELECT p.model FROM predictions p WHERE p.venue = %(venue)s AND p.symbol = %(symbol)s AND p.version = %(model_version)s
  AND p.ts >= %(lo)s AND p.ts <= %(hi)s AND p.ts::long = %(ts_ns)s LIMIT 1;

-- fills: what was executed of an order.
SELECT fill_id, quantity, price FROM fills WHERE order_id = %(order_id)s ORDER BY ts, fill_id;
