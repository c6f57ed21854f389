-- orders: every order as it stands now.
-- Grain: account, order_id (ts = its newest step). Quantities in base, price and filled_cost in quote.
-- Known when the journal's mirror wrote the step. Inputs: order_events.
CREATE OR REPLACE VIEW orders AS (
  SELECT ts, account, venue, symbol, strategy, event, state, side, type, time_in_force, order_id, seq, venue_order_id,
         cycle_id, correlation_id, quantity, price, filled_quantity, filled_cost, signal_known_at, reason,
         stop_price, trailing_bips, list_id
  FROM order_events LATEST ON ts PARTITION BY account, order_id
);
