-- positions: what each strategy holds now.
-- Grain: account, venue, symbol, strategy (ts = its newest change; flat ones stay, with quantity 0).
-- quantity in base (below 0: short); average_price, cost_basis (fees included), realised_* and *_quote in quote; *_fifo:
-- the oldest lot went first. Funding is in no realised_*; fees are in the profits already.
-- Inputs: position_events.
CREATE OR REPLACE VIEW positions AS (
  SELECT ts, account, venue, symbol, strategy, cause, fill_id, seq, quantity, average_price, cost_basis,
         realised_quote, fees_quote, realised_fifo_quote, cost_fifo, funding_quote, fees_base, fees_other_quote,
         rebates_quote
  FROM position_events LATEST ON ts PARTITION BY account, venue, symbol, strategy
);
