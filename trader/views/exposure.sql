-- exposure: what is at risk now, at mark, and what open buys may add to it.
-- Grain: account, venue, symbol. quantity in base, *_quote in quote; a position without a quote counts at its
-- cost, an open market buy has no price and counts 0. gross_quote: long and short sides of strategies, added. Inputs: pnl,
-- orders_open.
CREATE OR REPLACE VIEW exposure AS (
  SELECT account, venue, symbol, sum(quantity) AS quantity, sum(held_quote) AS held_quote,
         sum(open_buys_quote) AS open_buys_quote, sum(held_quote) + sum(open_buys_quote) AS worst_case_quote,
         sum(abs(held_quote)) AS gross_quote
  FROM (
    SELECT account, venue, symbol, quantity::DOUBLE AS quantity,
           quantity::DOUBLE * coalesce(mark, average_price::DOUBLE) AS held_quote, 0.0 AS open_buys_quote
    FROM pnl
    UNION ALL
    SELECT account, venue, symbol, 0.0 AS quantity, 0.0 AS held_quote,
           remaining::DOUBLE * coalesce(price::DOUBLE, 0.0) AS open_buys_quote
    FROM orders_open WHERE side = 'buy'
  )
);
