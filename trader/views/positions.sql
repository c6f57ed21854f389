-- positions: what each strategy holds now.
-- Grain: account, venue, symbol, strategy (ts = its newest change; flat ones stay, with quantity 0).
-- quantity in base; average_price, cost_basis (fees included), realised_quote, fees_quote in quote.
-- Inputs: position_events.
CREATE OR REPLACE VIEW positions AS (
  SELECT ts, account, venue, symbol, strategy, cause, fill_id, seq, quantity, average_price, cost_basis,
         realised_quote, fees_quote
  FROM position_events LATEST ON ts PARTITION BY account, venue, symbol, strategy
);
