-- decisions: what a trading cycle saw and decided for one strategy and symbol, refusals included.
-- Grain: cycle_id, strategy, symbol. ts = the cycle's time. action: buy, sell, hold, refuse, skip.
-- rule, observed, limit_value, unit tell a refusal (observed NULL: it could not be known); quantities in base.
-- limit_scale: what limits on exposure were multiplied by. warnings: soft limits that were passed, as text.
CREATE TABLE IF NOT EXISTS decisions (
  ts TIMESTAMP_NS, account SYMBOL, venue SYMBOL, symbol SYMBOL, strategy SYMBOL, action SYMBOL, rule SYMBOL,
  unit SYMBOL, state SYMBOL, cycle_id VARCHAR, correlation_id VARCHAR, version LONG, signal_ts TIMESTAMP_NS,
  signal_known_at TIMESTAMP_NS, target DOUBLE, confidence DOUBLE, mark DECIMAL(28,10), quantity DECIMAL(28,10),
  target_quantity DECIMAL(28,10), order_quantity DECIMAL(28,10), observed DECIMAL(28,10),
  limit_value DECIMAL(28,10), client_order_id VARCHAR, reason VARCHAR, trace_id VARCHAR,
  limit_scale DECIMAL(28,10), warnings VARCHAR
) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, cycle_id, strategy, symbol);

-- order_events: a step of an order's life, mirrored from the journal. state after the step.
-- Grain: account, order_id, seq. order_id is our client order id; venue_order_id the venue's, once known. quantity = what
-- it asks for after the step, less once it was amended.
-- cycle_id is 'protection' for an order that protects a position. stop_price is what an order waits for; trailing_bips
-- (1/10,000) how far from the best price it follows; list_id the pair of which one leg ends the other.
CREATE TABLE IF NOT EXISTS order_events (
  ts TIMESTAMP_NS, account SYMBOL, venue SYMBOL, symbol SYMBOL, strategy SYMBOL, event SYMBOL, state SYMBOL,
  side SYMBOL, type SYMBOL, time_in_force SYMBOL, order_id VARCHAR, seq LONG, venue_order_id VARCHAR,
  cycle_id VARCHAR, correlation_id VARCHAR, quantity DECIMAL(28,10), price DECIMAL(28,10),
  filled_quantity DECIMAL(28,10), filled_cost DECIMAL(28,10), signal_known_at TIMESTAMP_NS, reason VARCHAR, trace_id VARCHAR,
  stop_price DECIMAL(28,10), trailing_bips LONG, list_id VARCHAR
) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, account, order_id, seq);

-- protection_events: what became of the protective orders of a position: placed, lifted, refused, unprotected.
-- Grain: account, symbol, strategy, event, ts. quantity in base; unprotected_s = how long the position had stood without,
-- up to now; reason = why it was lifted or refused.
CREATE TABLE IF NOT EXISTS protection_events (
  ts TIMESTAMP_NS, account SYMBOL, venue SYMBOL, symbol SYMBOL, strategy SYMBOL, event SYMBOL,
  quantity DECIMAL(28,10), unprotected_s DOUBLE, order_id VARCHAR, reason VARCHAR
) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, account, symbol, strategy, event);

-- execution_plans: a decision that is carried out in several orders: that it started, that it ended and what came of it.
-- Grain: account, plan_id, event. plan_id = its decision's client_order_id; its orders share correlation_id. quantity in
-- base; mark at the decision and filled_cost in quote; shortfall_bips = what was paid more than mark, in 1/10,000, without
-- fees (below 0: better than mark); reason = why it ended.
CREATE TABLE IF NOT EXISTS execution_plans (
  ts TIMESTAMP_NS, account SYMBOL, venue SYMBOL, symbol SYMBOL, strategy SYMBOL, event SYMBOL, policy SYMBOL, side SYMBOL,
  plan_id VARCHAR, cycle_id VARCHAR, correlation_id VARCHAR, quantity DECIMAL(28,10), mark DECIMAL(28,10), orders LONG,
  filled_quantity DECIMAL(28,10), filled_cost DECIMAL(28,10), shortfall_bips DECIMAL(28,10), reason VARCHAR
) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, account, plan_id, event);

-- fills: an execution of one of our orders, or a foreign one. ts = the venue's time of the fill.
-- fee < 0 is a rebate; fee_quote is the fee in quote, whatever it was paid in.
-- Grain: account, venue, symbol, fill_id.
CREATE TABLE IF NOT EXISTS fills (
  ts TIMESTAMP_NS, account SYMBOL, venue SYMBOL, symbol SYMBOL, strategy SYMBOL, side SYMBOL, liquidity SYMBOL,
  fee_currency SYMBOL, fill_id VARCHAR, order_id VARCHAR, venue_order_id VARCHAR, correlation_id VARCHAR,
  quantity DECIMAL(28,10), price DECIMAL(28,10), cost DECIMAL(28,10), fee DECIMAL(28,10),
  received_at TIMESTAMP_NS, trace_id VARCHAR, fee_quote DECIMAL(28,10)
) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, account, venue, symbol, fill_id);

-- position_events: the position of a strategy after a fill, an adoption or funding. Path-dependent, so written.
-- Grain: account, venue, symbol, strategy, fill_id. cost_basis = what the open quantity cost, fees included, in quote;
-- below 0 for a short one. *_fifo: the oldest went first, else average cost. Funding is in no realised_*; of fees_quote,
-- which the profits hold already, fees_base was paid in base, fees_other_quote in a third currency, rebates_quote came back.
CREATE TABLE IF NOT EXISTS position_events (
  ts TIMESTAMP_NS, account SYMBOL, venue SYMBOL, symbol SYMBOL, strategy SYMBOL, cause SYMBOL, fill_id VARCHAR,
  seq LONG, quantity DECIMAL(28,10), average_price DECIMAL(28,10), cost_basis DECIMAL(28,10),
  realised_quote DECIMAL(28,10), fees_quote DECIMAL(28,10), realised_fifo_quote DECIMAL(28,10),
  cost_fifo DECIMAL(28,10), funding_quote DECIMAL(28,10), fees_base DECIMAL(28,10),
  fees_other_quote DECIMAL(28,10), rebates_quote DECIMAL(28,10)
) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, account, venue, symbol, strategy, fill_id);

-- balances: what the venue says the account holds of one currency.
-- Grain: account, venue, currency, sweep.
CREATE TABLE IF NOT EXISTS balances (
  ts TIMESTAMP_NS, account SYMBOL, venue SYMBOL, currency SYMBOL, free DECIMAL(28,10), locked DECIMAL(28,10)
) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, account, venue, currency);

-- equity: the account's worth and exposure at mark, in quote currency. capital_quote: what it began with and what came
-- and went since; equity_quote less it is the return.
-- Grain: account, quote_currency, cycle.
CREATE TABLE IF NOT EXISTS equity (
  ts TIMESTAMP_NS, account SYMBOL, quote_currency SYMBOL, cash DECIMAL(28,10), positions_quote DECIMAL(28,10),
  equity_quote DECIMAL(28,10), gross_exposure_quote DECIMAL(28,10), realised_quote DECIMAL(28,10),
  unrealised_quote DECIMAL(28,10), day_pnl_quote DECIMAL(28,10), realised_fifo_quote DECIMAL(28,10),
  funding_quote DECIMAL(28,10), capital_quote DECIMAL(28,10)
) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, account, quote_currency);

-- capital: what an account began with (cause counted), and every deposit and withdrawal since. In quote currency.
-- Grain: account, seq. capital_quote = all of them together.
CREATE TABLE IF NOT EXISTS capital (
  ts TIMESTAMP_NS, account SYMBOL, cause SYMBOL, actor SYMBOL, movement_id VARCHAR, seq LONG,
  amount_quote DECIMAL(28,10), capital_quote DECIMAL(28,10), reason VARCHAR
) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, account, seq);

-- trading_state: ACTIVE, REDUCING or HALTED, why, and by whom.
-- Grain: account, seq.
CREATE TABLE IF NOT EXISTS trading_state (
  ts TIMESTAMP_NS, account SYMBOL, state SYMBOL, actor SYMBOL, seq LONG, reason VARCHAR
) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, account, seq);

-- limits: a limit that was set while trading went on, taken back to its setting, or asked for until a second person approves.
-- Grain: account, seq. status: set, reset (value NULL: the setting holds), asked. strategy, symbol '' = the whole account.
-- change_id ties an approval to what was asked; before, value in unit.
CREATE TABLE IF NOT EXISTS limits (
  ts TIMESTAMP_NS, account SYMBOL, name SYMBOL, strategy SYMBOL, symbol SYMBOL, status SYMBOL, unit SYMBOL,
  actor SYMBOL, approved_by SYMBOL, seq LONG, change_id VARCHAR, before DECIMAL(28,10), value DECIMAL(28,10),
  reason VARCHAR
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, account, seq);

-- commands: who ordered the trader to do what, and what came of it.
-- Grain: command_id, seq.
CREATE TABLE IF NOT EXISTS commands (
  ts TIMESTAMP_NS, account SYMBOL, actor SYMBOL, command SYMBOL, status SYMBOL, command_id VARCHAR, seq LONG,
  arguments VARCHAR, outcome VARCHAR
) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, command_id, seq);
