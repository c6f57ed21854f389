-- streaming_since: the first trade that came by stream after a moment, if any.
SELECT min(received_at) AS received_at FROM trades WHERE source = 'stream' AND received_at >= %(since)s AND ts >= dateadd('h', -1, %(since)s);

-- tick_rates: per symbol, live trades in the last ten seconds and how old the newest one is, by our clock.
SELECT symbol, count() / 10.0 AS trades_per_s, datediff('T', max(ts), now()) AS age_ms
FROM trades WHERE source = 'stream' AND ts > dateadd('s', -10, now()) ORDER BY symbol;

-- counts: how many rows this installation holds of everything that the demo is about.
SELECT * FROM (SELECT count() AS trades_stored FROM trades)
CROSS JOIN (SELECT count() AS quotes_stored FROM quotes)
CROSS JOIN (SELECT count() AS books_stored FROM books)
CROSS JOIN (SELECT count() AS quarantined FROM quarantine)
CROSS JOIN (SELECT count() AS bars_1m FROM bars_1m)
CROSS JOIN (SELECT count_distinct(name) AS features FROM feature_values)
CROSS JOIN (SELECT count() AS signals FROM signal_values)
CROSS JOIN (SELECT count() AS decisions FROM decisions)
CROSS JOIN (SELECT count() AS refusals FROM decisions WHERE action = 'refuse')
CROSS JOIN (SELECT count_distinct(order_id) AS orders FROM order_events)
CROSS JOIN (SELECT count() AS fills FROM fills);

-- gaps_open: ranges that are missing and not yet healed or given up.
SELECT count() AS gaps_open
FROM (SELECT gap_id, status FROM gaps LATEST ON ts PARTITION BY gap_id) WHERE status = 'open';

-- strategies: which strategies have signals.
SELECT DISTINCT strategy FROM signal_values ORDER BY strategy;

-- signals_now: the newest signal of every strategy and symbol.
SELECT strategy, symbol, ts, target, confidence, model_version, datediff('s', known_at, now()) AS age_s
FROM signals LATEST ON ts PARTITION BY strategy, symbol;

-- model: the newest training run that produced a model.
SELECT model AS name, version, rows, auc FROM training_runs WHERE status = 'ok' ORDER BY ts DESC LIMIT 1;

-- positions_now: every open position.
SELECT strategy, symbol, quantity, average_price, realised_quote FROM positions WHERE quantity > 0.0::DECIMAL(28,10);

-- orders_open: orders that are not final.
SELECT symbol, strategy, side, state, quantity, filled_quantity FROM orders_open;

-- pnl: what was made in quote currency since the first fill.
SELECT sum(realised_quote::DOUBLE) AS realised_quote, sum(unrealised_quote::DOUBLE) AS unrealised_quote FROM pnl;

-- decisions_last: what the trader decided last.
SELECT ts, strategy, symbol, action, rule, reason FROM decisions LIMIT -4;

-- watermarks: up to which trade everything was acknowledged, by venue and symbol.
SELECT venue, symbol, last_seq FROM (
  SELECT venue, symbol, last_seq, ts FROM ingest_watermarks WHERE channel = 'trades' LATEST ON ts PARTITION BY venue, symbol
);

-- stored_up_to: how many distinct trades of one venue and symbol are stored up to an id, and the first of them.
SELECT count_distinct(seq) AS stored, min(seq) AS first_seq
FROM trades WHERE venue = %(venue)s AND symbol = %(symbol)s AND seq <= %(last_seq)s;

-- missing_up_to: ids up to one that open or lost gaps admit to be missing.
SELECT sum(missing) AS missing FROM (
  SELECT gap_id, status, missing, last_seq, first_seq FROM gaps
  WHERE venue = %(venue)s AND symbol = %(symbol)s AND channel = 'trades' LATEST ON ts PARTITION BY gap_id
) WHERE status != 'healed' AND last_seq <= %(last_seq)s AND first_seq >= %(first_seq)s;

-- row_to_signal: ms from the moment a bar may be frozen (its close and the lateness) to the one its signals can be read.
-- Only bars that began while the demo ran: what was rebuilt from history tells nothing about speed.
SELECT approx_percentile(lag_ms, 0.5, 4) AS p50, approx_percentile(lag_ms, 0.99, 4) AS p99 FROM (
  SELECT (known_at::long - ts::long - 60000000000 - %(lateness_ns)s) / 1000000.0 AS lag_ms
  FROM signal_values WHERE known_at_kind = 'live' AND revision = 0 AND ts >= %(since)s
);

-- signal_to_order: ms from a signal's knowledge time to the moment its order was sent.
SELECT approx_percentile(lag_ms, 0.5, 4) AS p50, approx_percentile(lag_ms, 0.99, 4) AS p99 FROM (
  SELECT (ts::long - signal_known_at::long) / 1000000.0 AS lag_ms
  FROM order_events WHERE state = 'SUBMITTED' AND ts >= %(since)s AND signal_known_at IS NOT NULL
);

-- venue_to_order: ms from the close of the bar that an order rests on to the moment the order was sent.
SELECT approx_percentile(lag_ms, 0.5, 4) AS p50, approx_percentile(lag_ms, 0.99, 4) AS p99 FROM (
  SELECT (o.ts::long - d.signal_ts::long - 60000000000) / 1000000.0 AS lag_ms
  FROM (SELECT ts, order_id FROM order_events WHERE state = 'SUBMITTED' AND ts >= %(since)s) o
  JOIN (SELECT client_order_id, signal_ts FROM decisions WHERE client_order_id IS NOT NULL) d
    ON o.order_id = d.client_order_id
);
