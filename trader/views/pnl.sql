-- pnl: realised profit by average cost and by the oldest lot first, funding, unrealised at the middle of the newest quote.
-- Grain: account, venue, symbol, strategy. All in quote; mark and what follows from it NULL without a quote of the last
-- 24 hours. pnl_quote = realised_quote + funding_quote + unrealised_quote; fees are in it already. dust_quantity (base) and
-- dust_quote: what lies below the venue's lot and cannot be sold, a part of the rest. Inputs: positions, quotes, instruments.
CREATE OR REPLACE VIEW pnl AS (
  SELECT p.ts, p.account, p.venue, p.symbol, p.strategy, p.quantity, p.average_price, q.mark,
         p.realised_quote::DOUBLE AS realised_quote,
         p.quantity::DOUBLE * q.mark - p.cost_basis::DOUBLE AS unrealised_quote,
         p.realised_quote::DOUBLE + coalesce(p.funding_quote::DOUBLE, 0.0) + p.quantity::DOUBLE * q.mark
           - p.cost_basis::DOUBLE AS pnl_quote,
         p.fees_quote::DOUBLE AS fees_quote, p.realised_fifo_quote::DOUBLE AS realised_fifo_quote,
         p.quantity::DOUBLE * q.mark - p.cost_fifo::DOUBLE AS unrealised_fifo_quote,
         coalesce(p.funding_quote::DOUBLE, 0.0) AS funding_quote, p.fees_base::DOUBLE AS fees_base,
         p.fees_other_quote::DOUBLE AS fees_other_quote, p.rebates_quote::DOUBLE AS rebates_quote,
         (p.quantity % i.amount_step)::DOUBLE AS dust_quantity,
         (p.quantity % i.amount_step)::DOUBLE * q.mark AS dust_quote
  FROM positions p
  LEFT JOIN (
    SELECT venue, symbol, (bid + ask) / 2 AS mark
    FROM quotes WHERE ts > dateadd('h', -24, now()) LATEST ON ts PARTITION BY venue, symbol
  ) q ON q.venue = p.venue AND q.symbol = p.symbol
  LEFT JOIN (
    SELECT venue, symbol, amount_step FROM instruments
    WHERE amount_step > 0::DECIMAL(28,10) LATEST ON ts PARTITION BY venue, symbol
  ) i ON i.venue = p.venue AND i.symbol = p.symbol
);
