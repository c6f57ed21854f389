-- exposure: what is at risk now, at mark, and the most that open orders may make of it, as the limits count.
-- Grain: account, venue, symbol. quantity in base, *_quote in quote; a position without a quote counts at its cost.
-- open_*_quote: what is left of open orders, at their price or the mark, whichever is more; a market order without a quote
-- counts 0. Sells of coins only close, so open_sells_quote is of contracts. worst_case_quote: of each strategy either all buys
-- happen and no sell or, for contracts, the other way, whichever leads farther from zero; added, shorts as much as longs.
-- gross_quote: what is held so, without orders. Inputs: pnl, orders_open, quotes.
CREATE OR REPLACE VIEW exposure AS (
  SELECT account, venue, symbol, sum(quantity) AS quantity, sum(held_quote) AS held_quote,
         sum(open_buys_quote) AS open_buys_quote, sum(open_sells_quote) AS open_sells_quote,
         sum(CASE WHEN symbol LIKE '%:%' AND open_sells_quote - held_quote > held_quote + open_buys_quote
                  THEN open_sells_quote - held_quote ELSE held_quote + open_buys_quote END) AS worst_case_quote,
         sum(abs(held_quote)) AS gross_quote
  FROM (
    SELECT account, venue, symbol, strategy, sum(quantity) AS quantity, sum(held_quote) AS held_quote,
           sum(open_buys_quote) AS open_buys_quote, sum(open_sells_quote) AS open_sells_quote
    FROM (
      SELECT account, venue, symbol, strategy, quantity::DOUBLE AS quantity,
             quantity::DOUBLE * coalesce(mark, average_price::DOUBLE) AS held_quote, 0.0 AS open_buys_quote,
             0.0 AS open_sells_quote
      FROM pnl
      UNION ALL
      SELECT o.account, o.venue, o.symbol, o.strategy, 0.0 AS quantity, 0.0 AS held_quote,
             CASE WHEN o.side = 'buy' THEN o.remaining::DOUBLE * greatest(coalesce(o.price::DOUBLE, 0.0), coalesce(q.mark, 0.0))
                  ELSE 0.0 END AS open_buys_quote,
             CASE WHEN o.side = 'sell' AND o.symbol LIKE '%:%'
                  THEN o.remaining::DOUBLE * greatest(coalesce(o.price::DOUBLE, 0.0), coalesce(q.mark, 0.0))
                  ELSE 0.0 END AS open_sells_quote
      FROM orders_open o
      LEFT JOIN (
        SELECT venue, symbol, (bid + ask) / 2 AS mark
        FROM quotes WHERE ts > dateadd('h', -24, now()) LATEST ON ts PARTITION BY venue, symbol
      ) q ON q.venue = o.venue AND q.symbol = o.symbol
    )
  )
);
