-- hours: in which hours each table has rows of the period, and how many.
SELECT 'decisions' AS name, timestamp_floor('h', ts)::long AS hour_ns, count() AS rows FROM decisions
WHERE ts >= %(from)s AND ts < %(to)s
UNION ALL
SELECT 'position_events', timestamp_floor('h', ts)::long, count() FROM position_events
WHERE ts >= %(from)s AND ts < %(to)s
UNION ALL
SELECT 'equity', timestamp_floor('h', ts)::long, count() FROM equity WHERE ts >= %(from)s AND ts < %(to)s
UNION ALL
SELECT 'balances', timestamp_floor('h', ts)::long, count() FROM balances WHERE ts >= %(from)s AND ts < %(to)s
UNION ALL
SELECT 'lineage', timestamp_floor('h', ts)::long, count() FROM lineage
WHERE ts < %(to)s AND (ts >= %(from)s OR to_kind NOT IN ('prediction', 'signal', 'decision', 'order'));

-- decisions: what each trading cycle saw and decided for each strategy and symbol, refusals and holds included.
SELECT ts::long AS ts_ns, account, venue, symbol, strategy, action, rule, unit, state, cycle_id, correlation_id,
       d.version AS version, signal_ts::long AS signal_ts_ns, signal_known_at::long AS signal_known_at_ns, target,
       confidence, mark, quantity, target_quantity, order_quantity, observed, limit_value, limit_scale, client_order_id,
       reason, warnings, trace_id
FROM decisions d WHERE ts >= %(from)s AND ts < %(to)s ORDER BY ts, cycle_id, strategy, symbol;

-- position_events: the position of each strategy after every fill, adoption and funding.
SELECT ts::long AS ts_ns, account, venue, symbol, strategy, cause, fill_id, seq, quantity, average_price, cost_basis,
       cost_fifo, realised_quote, realised_fifo_quote, funding_quote, fees_quote, fees_base, fees_other_quote,
       rebates_quote
FROM position_events WHERE ts >= %(from)s AND ts < %(to)s ORDER BY ts, account, venue, symbol, strategy, fill_id;

-- equity: what each account was worth, and how exposed, cycle by cycle.
SELECT ts::long AS ts_ns, account, quote_currency, cash, positions_quote, equity_quote, gross_exposure_quote,
       realised_quote, realised_fifo_quote, unrealised_quote, funding_quote, day_pnl_quote, capital_quote
FROM equity WHERE ts >= %(from)s AND ts < %(to)s ORDER BY ts, account, quote_currency;

-- balances: what the venue said that each account held.
SELECT ts::long AS ts_ns, account, venue, currency, free, locked
FROM balances WHERE ts >= %(from)s AND ts < %(to)s ORDER BY ts, account, venue, currency;

-- lineage: what was made from what: of the period, and of models, features and views whenever they were made.
SELECT ts::long AS ts_ns, job, from_kind, from_name, to_kind, to_name, run_id, detail
FROM lineage WHERE ts >= %(from)s AND ts < %(to)s
  AND (ts >= %(begin)s OR to_kind NOT IN ('prediction', 'signal', 'decision', 'order'))
ORDER BY ts, run_id, from_kind, from_name, to_kind, to_name;
