-- decision: what led to an order: the one that names it, or its plan's, which shares its correlation.
SELECT d.ts::long AS ts, d.account AS account, d.venue AS venue, d.symbol AS symbol, d.strategy AS strategy,
       d.version AS version, d.action AS action, d.rule AS rule, d.unit AS unit, d.state AS state,
       d.signal_ts::long AS signal_ts, d.signal_known_at::long AS signal_known_at, d.target AS target,
       d.confidence AS confidence, d.mark AS mark, d.quantity AS quantity, d.target_quantity AS target_quantity,
       d.order_quantity AS order_quantity, d.observed AS observed, d.limit_value AS limit_value,
       d.limit_scale AS limit_scale, d.reason AS reason, d.warnings AS warnings, d.client_order_id AS client_order_id
FROM decisions d WHERE d.ts >= %(since)s AND d.ts <= %(until)s
  AND (d.client_order_id = %(order_id)s OR (%(correlation_id)s <> '' AND d.correlation_id = %(correlation_id)s))
  AND (%(accounts)s = '' OR d.account ~ %(accounts)s) AND (%(strategies)s = '' OR d.strategy ~ %(strategies)s)
ORDER BY d.ts DESC LIMIT 1;

-- signal: the revision of a signal that a decision saw.
SELECT s.known_at::long AS known_at, s.target AS target, s.confidence AS confidence, s.model_version AS model_version,
       s.revision AS revision, s.known_at_kind AS known_at_kind
FROM signal_values s
WHERE s.venue = %(venue)s AND s.symbol = %(symbol)s AND s.strategy = %(strategy)s AND s.version = %(version)s
  AND s.ts >= %(lo)s AND s.ts <= %(hi)s AND s.ts::long = %(ts_ns)s AND s.known_at::long <= %(known_at_ns)s
ORDER BY s.revision DESC LIMIT 1;

-- prediction: the score that a signal of a model rests on.
SELECT p.known_at::long AS known_at, p.model AS model, p.version AS version, p.score AS score FROM predictions p
WHERE p.venue = %(venue)s AND p.symbol = %(symbol)s AND p.version = %(model_version)s
  AND p.ts >= %(lo)s AND p.ts <= %(hi)s AND p.ts::long = %(ts_ns)s AND p.known_at::long <= %(known_at_ns)s LIMIT 1;

-- features: every feature of the signal's bar, each in the newest revision that was known with the signal.
SELECT n.name AS name, n.feature_version AS version, n.value AS value, n.known_at_ns AS known_at FROM (
  SELECT f.name, f.version AS feature_version, f.value, f.known_at::long AS known_at_ns,
         row_number() OVER (PARTITION BY f.name, f.version ORDER BY f.revision DESC) AS newness
  FROM feature_values f
  WHERE f.venue = %(venue)s AND f.symbol = %(symbol)s AND f.ts >= %(lo)s AND f.ts <= %(hi)s
    AND f.ts::long = %(ts_ns)s AND f.known_at::long <= %(known_at_ns)s
) n WHERE n.newness = 1 ORDER BY n.name, n.feature_version;

-- inputs: the features that a strategy's signal is made of, as the lineage says.
SELECT DISTINCT from_name FROM lineage WHERE to_kind = 'signal' AND from_kind = 'feature' AND to_name = %(signal)s;
