-- orders_open: orders that may still be executed. UNKNOWN ones count: nobody can say yet that they do not stand.
-- Grain: account, order_id (ts = its newest step). remaining in base. Inputs: orders.
CREATE OR REPLACE VIEW orders_open AS (
  SELECT ts, account, venue, symbol, strategy, state, side, type, order_id, venue_order_id, correlation_id, quantity,
         price, filled_quantity, quantity - filled_quantity AS remaining
  FROM orders
  WHERE state IN ('INTENDED', 'SUBMITTED', 'ACCEPTED', 'PARTIALLY_FILLED', 'UNKNOWN')
);
