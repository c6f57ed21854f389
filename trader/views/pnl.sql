-- pnl: realised profit, and unrealised at the middle of the newest quote.
-- Grain: account, venue, symbol, strategy. All in quote; mark and what follows from it NULL without a quote of the last
-- 24 hours. Inputs: positions, quotes.
CREATE OR REPLACE VIEW pnl AS (
  SELECT p.ts, p.account, p.venue, p.symbol, p.strategy, p.quantity, p.average_price, q.mark,
         p.realised_quote::DOUBLE AS realised_quote,
         p.quantity::DOUBLE * q.mark - p.cost_basis::DOUBLE AS unrealised_quote,
         p.realised_quote::DOUBLE + p.quantity::DOUBLE * q.mark - p.cost_basis::DOUBLE AS pnl_quote,
         p.fees_quote::DOUBLE AS fees_quote
  FROM positions p
  LEFT JOIN (
    SELECT venue, symbol, (bid + ask) / 2 AS mark
    FROM quotes WHERE ts > dateadd('h', -24, now()) LATEST ON ts PARTITION BY venue, symbol
  ) q ON q.venue = p.venue AND q.symbol = p.symbol
);
