-- trader_report: what each strategy did with each symbol from @from to @to (the end excluded), by default today.
-- Grain: account, venue, symbol, strategy. quantity (base), cost_basis and mark are those of the end; mark is NULL where
-- the 24 hours before it have no quote. fills, volume_quote (both sides), fees_quote, funding_quote and realised_* are of
-- the time between, in quote; fees are in realised_* already, funding is not.
-- Inputs: position_events, fills, quotes.
CREATE OR REPLACE VIEW trader_report AS (
  DECLARE OVERRIDABLE @from := date_trunc('day', now()), OVERRIDABLE @to := now()
  SELECT e.account, e.venue, e.symbol, e.strategy, e.quantity, e.cost_basis, q.mark,
         coalesce(f.fills, 0) AS fills, coalesce(f.volume_quote, 0::DECIMAL(28,10)) AS volume_quote,
         e.fees_quote - coalesce(b.fees_quote, 0::DECIMAL(28,10)) AS fees_quote,
         coalesce(e.funding_quote, 0::DECIMAL(28,10)) - coalesce(b.funding_quote, 0::DECIMAL(28,10)) AS funding_quote,
         e.realised_quote - coalesce(b.realised_quote, 0::DECIMAL(28,10)) AS realised_quote,
         e.realised_fifo_quote - coalesce(b.realised_fifo_quote, 0::DECIMAL(28,10)) AS realised_fifo_quote
  FROM (
    SELECT * FROM position_events WHERE ts < @to LATEST ON ts PARTITION BY account, venue, symbol, strategy
  ) e
  LEFT JOIN (
    SELECT * FROM position_events WHERE ts < @from LATEST ON ts PARTITION BY account, venue, symbol, strategy
  ) b ON b.account = e.account AND b.venue = e.venue AND b.symbol = e.symbol AND b.strategy = e.strategy
  LEFT JOIN (
    SELECT account, venue, symbol, strategy, count() AS fills, sum(cost) AS volume_quote
    FROM fills WHERE ts >= @from AND ts < @to
  ) f ON f.account = e.account AND f.venue = e.venue AND f.symbol = e.symbol AND f.strategy = e.strategy
  LEFT JOIN (
    SELECT venue, symbol, (bid + ask) / 2 AS mark
    FROM quotes WHERE ts >= dateadd('h', -24, @to) AND ts < @to LATEST ON ts PARTITION BY venue, symbol
  ) q ON q.venue = e.venue AND q.symbol = e.symbol
);
