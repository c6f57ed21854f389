-- decisions: what each cycle saw and decided, refusals included, newest first.
SELECT ts::long AS ts, account, venue, symbol, strategy, d.version AS version, action, rule, unit, state, cycle_id,
       correlation_id, signal_ts::long AS signal_ts, signal_known_at::long AS signal_known_at, target, confidence, mark,
       quantity, target_quantity, order_quantity, observed, limit_value, limit_scale, client_order_id, reason, warnings,
       trace_id
FROM decisions d WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(accounts)s = '' OR account ~ %(accounts)s) AND (%(strategies)s = '' OR strategy ~ %(strategies)s)
  AND (%(account)s = '' OR account = %(account)s) AND (%(strategy)s = '' OR strategy = %(strategy)s)
  AND (%(venue)s = '' OR venue = %(venue)s) AND (%(symbol)s = '' OR symbol = %(symbol)s)
  AND (%(action)s = '' OR action = %(action)s)
ORDER BY ts DESC, cycle_id, strategy, symbol LIMIT %(skip)s, %(end)s;

-- orders: every order as it stands now, by its newest step, newest first.
SELECT ts::long AS ts, account, venue, symbol, strategy, event, state, side, type, time_in_force, order_id, seq,
       venue_order_id, cycle_id, correlation_id, quantity, price, filled_quantity, filled_cost,
       signal_known_at::long AS signal_known_at, reason, stop_price, trailing_bips, list_id
FROM orders WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(accounts)s = '' OR account ~ %(accounts)s) AND (%(strategies)s = '' OR strategy ~ %(strategies)s)
  AND (%(account)s = '' OR account = %(account)s) AND (%(strategy)s = '' OR strategy = %(strategy)s)
  AND (%(venue)s = '' OR venue = %(venue)s) AND (%(symbol)s = '' OR symbol = %(symbol)s)
  AND (%(state)s = '' OR state = %(state)s) AND (%(order_id)s = '' OR order_id = %(order_id)s)
ORDER BY ts DESC, account, order_id LIMIT %(skip)s, %(end)s;

-- order_events: the steps of orders' lives, newest first.
SELECT ts::long AS ts, account, venue, symbol, strategy, event, state, side, type, time_in_force, order_id, seq,
       venue_order_id, cycle_id, correlation_id, quantity, price, filled_quantity, filled_cost,
       signal_known_at::long AS signal_known_at, reason, trace_id, stop_price, trailing_bips, list_id
FROM order_events WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(accounts)s = '' OR account ~ %(accounts)s) AND (%(strategies)s = '' OR strategy ~ %(strategies)s)
  AND (%(account)s = '' OR account = %(account)s) AND (%(strategy)s = '' OR strategy = %(strategy)s)
  AND (%(venue)s = '' OR venue = %(venue)s) AND (%(symbol)s = '' OR symbol = %(symbol)s)
  AND (%(order_id)s = '' OR order_id = %(order_id)s)
ORDER BY ts DESC, account, order_id, seq DESC LIMIT %(skip)s, %(end)s;

-- fills: executions, newest first.
SELECT ts::long AS ts, account, venue, symbol, strategy, side, liquidity, fee_currency, fill_id, order_id,
       venue_order_id, correlation_id, quantity, price, cost, fee, fee_quote, received_at::long AS received_at, trace_id
FROM fills WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(accounts)s = '' OR account ~ %(accounts)s) AND (%(strategies)s = '' OR strategy ~ %(strategies)s)
  AND (%(account)s = '' OR account = %(account)s) AND (%(strategy)s = '' OR strategy = %(strategy)s)
  AND (%(venue)s = '' OR venue = %(venue)s) AND (%(symbol)s = '' OR symbol = %(symbol)s)
  AND (%(order_id)s = '' OR order_id = %(order_id)s)
ORDER BY ts DESC, account, fill_id LIMIT %(skip)s, %(end)s;

-- positions: what each strategy holds now; flat ones stay, with quantity 0.
SELECT ts::long AS ts, account, venue, symbol, strategy, cause, fill_id, seq, quantity, average_price, cost_basis,
       realised_quote, fees_quote, realised_fifo_quote, cost_fifo, funding_quote, fees_base, fees_other_quote,
       rebates_quote
FROM positions
WHERE (%(accounts)s = '' OR account ~ %(accounts)s) AND (%(strategies)s = '' OR strategy ~ %(strategies)s)
  AND (%(account)s = '' OR account = %(account)s) AND (%(strategy)s = '' OR strategy = %(strategy)s)
  AND (%(venue)s = '' OR venue = %(venue)s) AND (%(symbol)s = '' OR symbol = %(symbol)s)
ORDER BY account, venue, symbol, strategy LIMIT %(skip)s, %(end)s;

-- pnl: profit of what each strategy holds and held, at the middle of the newest quote.
SELECT ts::long AS ts, account, venue, symbol, strategy, quantity, average_price, mark, realised_quote, unrealised_quote,
       pnl_quote, fees_quote, realised_fifo_quote, unrealised_fifo_quote, funding_quote, fees_base, fees_other_quote,
       rebates_quote, dust_quantity, dust_quote
FROM pnl
WHERE (%(accounts)s = '' OR account ~ %(accounts)s) AND (%(strategies)s = '' OR strategy ~ %(strategies)s)
  AND (%(account)s = '' OR account = %(account)s) AND (%(strategy)s = '' OR strategy = %(strategy)s)
  AND (%(venue)s = '' OR venue = %(venue)s) AND (%(symbol)s = '' OR symbol = %(symbol)s)
ORDER BY account, venue, symbol, strategy LIMIT %(skip)s, %(end)s;

-- exposure: what is at risk now, at mark, and the most that open orders may make of it.
SELECT account, venue, symbol, quantity, held_quote, open_buys_quote, open_sells_quote, worst_case_quote, gross_quote
FROM exposure
WHERE (%(accounts)s = '' OR account ~ %(accounts)s) AND (%(account)s = '' OR account = %(account)s)
  AND (%(venue)s = '' OR venue = %(venue)s) AND (%(symbol)s = '' OR symbol = %(symbol)s)
ORDER BY account, venue, symbol LIMIT %(skip)s, %(end)s;

-- equity: what accounts were worth, newest first.
SELECT ts::long AS ts, account, quote_currency, cash, positions_quote, equity_quote, gross_exposure_quote,
       realised_quote, unrealised_quote, day_pnl_quote, realised_fifo_quote, funding_quote, capital_quote
FROM equity WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(accounts)s = '' OR account ~ %(accounts)s) AND (%(account)s = '' OR account = %(account)s)
ORDER BY ts DESC, account LIMIT %(skip)s, %(end)s;

-- balances: what accounts have of each currency, by the newest report.
SELECT ts::long AS ts, account, venue, currency, free, locked
FROM (balances LATEST ON ts PARTITION BY account, venue, currency)
WHERE (%(accounts)s = '' OR account ~ %(accounts)s) AND (%(account)s = '' OR account = %(account)s)
  AND (%(venue)s = '' OR venue = %(venue)s)
ORDER BY account, venue, currency LIMIT %(skip)s, %(end)s;

-- limits: what bounds accounts now.
SELECT account, name, unit, value, origin
FROM limits_now
WHERE (%(accounts)s = '' OR account ~ %(accounts)s) AND (%(account)s = '' OR account = %(account)s)
ORDER BY account, name LIMIT %(skip)s, %(end)s;

-- limit_changes: limits that were set, reset or asked for, newest first.
SELECT ts::long AS ts, account, name, strategy, symbol, status, unit, actor, approved_by, seq, change_id, before, value,
       reason
FROM limits WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(strategies)s = '' OR strategy IS NULL OR strategy = '' OR strategy ~ %(strategies)s)
  AND (%(accounts)s = '' OR account ~ %(accounts)s) AND (%(account)s = '' OR account = %(account)s)
ORDER BY ts DESC, account, seq DESC LIMIT %(skip)s, %(end)s;

-- trading_state: ACTIVE, REDUCING, HALTED: who made it so and why, newest first.
SELECT ts::long AS ts, account, state, actor, seq, reason
FROM trading_state WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(accounts)s = '' OR account ~ %(accounts)s) AND (%(account)s = '' OR account = %(account)s)
ORDER BY ts DESC, account, seq DESC LIMIT %(skip)s, %(end)s;

-- commands: what people and programs ordered, and what came of it, newest first.
SELECT ts::long AS ts, account, actor, command, status, command_id, seq, arguments, outcome
FROM commands WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(accounts)s = '' OR account ~ %(accounts)s) AND (%(account)s = '' OR account = %(account)s)
ORDER BY ts DESC, command_id, seq DESC LIMIT %(skip)s, %(end)s;

-- strategies: what is traded, by the newest decision of each in the last week.
SELECT ts::long AS ts, account, venue, symbol, strategy, d.version AS version, action, rule, state, target, quantity, reason
FROM (decisions LATEST ON ts PARTITION BY account, strategy, symbol) d
WHERE ts >= dateadd('d', -7, now())
  AND (%(accounts)s = '' OR account ~ %(accounts)s) AND (%(strategies)s = '' OR strategy ~ %(strategies)s)
  AND (%(account)s = '' OR account = %(account)s) AND (%(strategy)s = '' OR strategy = %(strategy)s)
ORDER BY account, strategy, symbol LIMIT %(skip)s, %(end)s;
