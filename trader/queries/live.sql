-- order_events: every step of every order as it was mirrored.
SELECT ts::long AS ts, account, venue, symbol, strategy, event, state, side, type, time_in_force, order_id, seq,
       venue_order_id, cycle_id, correlation_id, trace_id, quantity, price, filled_quantity, filled_cost,
       signal_known_at::long AS signal_known_at, reason, stop_price, trailing_bips, list_id
FROM order_events WHERE ts >= %(lo)s AND ts < %(hi)s LIMIT %(rows_max)s;

-- fills: every execution as it was mirrored.
SELECT ts::long AS ts, account, venue, symbol, strategy, side, liquidity, fee_currency, fill_id, order_id,
       venue_order_id, correlation_id, trace_id, quantity, price, cost, fee, fee_quote,
       received_at::long AS received_at
FROM fills WHERE ts >= %(lo)s AND ts < %(hi)s LIMIT %(rows_max)s;

-- position_events: every change of every position as it was mirrored.
SELECT ts::long AS ts, account, venue, symbol, strategy, cause, fill_id, seq, quantity, average_price, cost_basis,
       realised_quote, fees_quote, realised_fifo_quote, cost_fifo, funding_quote, fees_base, fees_other_quote,
       rebates_quote
FROM position_events WHERE ts >= %(lo)s AND ts < %(hi)s LIMIT %(rows_max)s;

-- capital: every change of an account's capital as it was mirrored.
SELECT ts::long AS ts, account, cause, actor, movement_id, seq, amount_quote, capital_quote, reason
FROM capital WHERE ts >= %(lo)s AND ts < %(hi)s LIMIT %(rows_max)s;

-- trading_state: every change of every account's state as it was mirrored.
SELECT ts::long AS ts, account, state, actor, seq, reason
FROM trading_state WHERE ts >= %(lo)s AND ts < %(hi)s LIMIT %(rows_max)s;

-- limits: every limit that was set, reset or asked for as it was mirrored.
SELECT ts::long AS ts, account, name, strategy, symbol, status, unit, actor, approved_by, seq, change_id, before, value,
       reason
FROM limits WHERE ts >= %(lo)s AND ts < %(hi)s LIMIT %(rows_max)s;
