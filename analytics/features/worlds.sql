-- Worlds: copies of a market under other names of its venue. Every view goes by venue, so each world is computed as if it
-- were alone. World number x of a set knows the real rows up to its cut, x minutes after `base`; what comes later is
-- missing there (mode 'truncated') or garbage ('poisoned'): of all tables, or of the one table or column that `only`
-- names ('all', 'trades', 'trades.price', 'nothing'). Garbage is a function of the row's time: the same in every run.

-- clone_trades: trades of the worlds.
INSERT INTO trades (ts, venue, symbol, source, trade_id, seq, received_at, side, price, amount)
SELECT ts, venue, symbol,
       source,
       trade_id,
       seq,
       received_at,
       CASE WHEN later AND %(only)s IN ('all', 'trades', 'trades.side') THEN CASE side WHEN 'buy' THEN 'sell' ELSE 'buy' END ELSE side END,
       CASE WHEN later AND %(only)s IN ('all', 'trades', 'trades.price') THEN price * noise ELSE price END,
       CASE WHEN later AND %(only)s IN ('all', 'trades', 'trades.amount') THEN amount * noise ELSE amount END
FROM (
  SELECT t.ts, concat(%(worlds)s, w.x) AS venue, t.symbol, t.source, t.trade_id, t.seq, t.received_at, t.side, t.price, t.amount,
         4.0 + 3.0 * sin(t.ts::long / 1e9) AS noise,
         t.ts >= dateadd('m', w.x::int, %(base)s::timestamp_ns) AS later
  FROM (
    SELECT * FROM trades WHERE venue = %(source)s AND ts >= %(first)s AND ts < %(last)s
  ) t CROSS JOIN long_sequence(%(count)s) w
) WHERE %(mode)s = 'poisoned' OR NOT later;

-- clone_quotes: quotes of the worlds.
INSERT INTO quotes (ts, venue, symbol, ts_source, update_id, received_at, bid, bid_amount, ask, ask_amount)
SELECT ts, venue, symbol,
       ts_source,
       update_id,
       received_at,
       CASE WHEN later AND %(only)s IN ('all', 'quotes', 'quotes.bid') THEN bid * noise ELSE bid END,
       CASE WHEN later AND %(only)s IN ('all', 'quotes', 'quotes.bid_amount') THEN bid_amount * noise ELSE bid_amount END,
       CASE WHEN later AND %(only)s IN ('all', 'quotes', 'quotes.ask') THEN ask * (noise + 0.5) ELSE ask END,
       CASE WHEN later AND %(only)s IN ('all', 'quotes', 'quotes.ask_amount') THEN ask_amount * (8.0 - noise) ELSE ask_amount END
FROM (
  SELECT t.ts, concat(%(worlds)s, w.x) AS venue, t.symbol, t.ts_source, t.update_id, t.received_at, t.bid, t.bid_amount, t.ask, t.ask_amount,
         4.0 + 3.0 * sin(t.ts::long / 1e9) AS noise,
         t.ts >= dateadd('m', w.x::int, %(base)s::timestamp_ns) AS later
  FROM (
    SELECT * FROM quotes WHERE venue = %(source)s AND ts >= %(first)s AND ts < %(last)s
  ) t CROSS JOIN long_sequence(%(count)s) w
) WHERE %(mode)s = 'poisoned' OR NOT later;

-- clone_books: books of the worlds.
INSERT INTO books (ts, venue, symbol, ts_source, update_id, received_at, bids, asks)
SELECT ts, venue, symbol,
       ts_source,
       update_id,
       received_at,
       CASE WHEN later AND %(only)s IN ('all', 'books', 'books.bids') THEN bids * noise ELSE bids END,
       CASE WHEN later AND %(only)s IN ('all', 'books', 'books.asks') THEN asks * (8.0 - noise) ELSE asks END
FROM (
  SELECT t.ts, concat(%(worlds)s, w.x) AS venue, t.symbol, t.ts_source, t.update_id, t.received_at, t.bids, t.asks,
         4.0 + 3.0 * sin(t.ts::long / 1e9) AS noise,
         t.ts >= dateadd('m', w.x::int, %(base)s::timestamp_ns) AS later
  FROM (
    SELECT * FROM books WHERE venue = %(source)s AND ts >= %(first)s AND ts < %(last)s
  ) t CROSS JOIN long_sequence(%(count)s) w
) WHERE %(mode)s = 'poisoned' OR NOT later;

-- clone_venue_bars_1m: venue_bars_1m of the worlds.
INSERT INTO venue_bars_1m (ts, venue, symbol, received_at, open, high, low, close, volume, cost, trades, buy_volume)
SELECT ts, venue, symbol,
       received_at,
       CASE WHEN later AND %(only)s IN ('all', 'venue_bars_1m', 'venue_bars_1m.open') THEN open * noise ELSE open END,
       CASE WHEN later AND %(only)s IN ('all', 'venue_bars_1m', 'venue_bars_1m.high') THEN high * noise ELSE high END,
       CASE WHEN later AND %(only)s IN ('all', 'venue_bars_1m', 'venue_bars_1m.low') THEN low * noise ELSE low END,
       CASE WHEN later AND %(only)s IN ('all', 'venue_bars_1m', 'venue_bars_1m.close') THEN close * noise ELSE close END,
       CASE WHEN later AND %(only)s IN ('all', 'venue_bars_1m', 'venue_bars_1m.volume') THEN volume * (8.0 - noise) ELSE volume END,
       CASE WHEN later AND %(only)s IN ('all', 'venue_bars_1m', 'venue_bars_1m.cost') THEN cost * (8.0 - noise) ELSE cost END,
       CASE WHEN later AND %(only)s IN ('all', 'venue_bars_1m', 'venue_bars_1m.trades') THEN trades * 3 + 1 ELSE trades END,
       CASE WHEN later AND %(only)s IN ('all', 'venue_bars_1m', 'venue_bars_1m.buy_volume') THEN (volume - buy_volume) * (8.0 - noise) ELSE buy_volume END
FROM (
  SELECT t.ts, concat(%(worlds)s, w.x) AS venue, t.symbol, t.received_at, t.open, t.high, t.low, t.close, t.volume, t.cost, t.trades, t.buy_volume,
         4.0 + 3.0 * sin(t.ts::long / 1e9) AS noise,
         t.ts >= dateadd('m', w.x::int, %(base)s::timestamp_ns) AS later
  FROM (
    SELECT * FROM venue_bars_1m WHERE venue = %(source)s AND ts >= %(first)s AND ts < %(last)s
  ) t CROSS JOIN long_sequence(%(count)s) w
) WHERE %(mode)s = 'poisoned' OR NOT later;

-- clone_funding: funding of the worlds.
INSERT INTO funding (ts, venue, symbol, kind, funding_at, received_at, rate, mark_price, index_price)
SELECT ts, venue, symbol,
       kind,
       funding_at,
       received_at,
       CASE WHEN later AND %(only)s IN ('all', 'funding', 'funding.rate') THEN rate * noise + 0.01 ELSE rate END,
       CASE WHEN later AND %(only)s IN ('all', 'funding', 'funding.mark_price') THEN mark_price * noise ELSE mark_price END,
       CASE WHEN later AND %(only)s IN ('all', 'funding', 'funding.index_price') THEN index_price * (8.0 - noise) ELSE index_price END
FROM (
  SELECT t.ts, concat(%(worlds)s, w.x) AS venue, t.symbol, t.kind, t.funding_at, t.received_at, t.rate, t.mark_price, t.index_price,
         4.0 + 3.0 * sin(t.ts::long / 1e9) AS noise,
         t.ts >= dateadd('m', w.x::int, %(base)s::timestamp_ns) AS later
  FROM (
    SELECT * FROM funding WHERE venue = %(source)s AND ts >= %(first)s AND ts < %(last)s
  ) t CROSS JOIN long_sequence(%(count)s) w
) WHERE %(mode)s = 'poisoned' OR NOT later;

-- clone_predictions: predictions of the worlds.
INSERT INTO predictions (ts, venue, symbol, model, version, known_at_kind, known_at, score)
SELECT ts, venue, symbol,
       model,
       version,
       known_at_kind,
       known_at,
       CASE WHEN later AND %(only)s IN ('all', 'predictions', 'predictions.score') THEN 1.0 - score * 0.9 ELSE score END
FROM (
  SELECT t.ts, concat(%(worlds)s, w.x) AS venue, t.symbol, t.model, t.version, t.known_at_kind, t.known_at, t.score,
         4.0 + 3.0 * sin(t.ts::long / 1e9) AS noise,
         t.ts >= dateadd('m', w.x::int, %(base)s::timestamp_ns) AS later
  FROM (
    SELECT * FROM predictions WHERE venue = %(source)s AND ts >= %(first)s AND ts < %(last)s
  ) t CROSS JOIN long_sequence(%(count)s) w
) WHERE %(mode)s = 'poisoned' OR NOT later;

-- clone_gaps: the gaps of the worlds, as they ended: one that began before the cut is part of what is known.
INSERT INTO gaps (ts, venue, symbol, channel, status, cause, healed_by, gap_id, revision, started_at, ended_at, first_seq,
                  last_seq, missing)
SELECT ts, venue, symbol, channel, status, cause, healed_by, concat(venue, '/', gap_id), revision, started_at, ended_at,
       first_seq, last_seq, missing
FROM (
  SELECT t.ts, concat(%(worlds)s, w.x) AS venue, t.symbol, t.channel, t.status, t.cause, t.healed_by, t.gap_id, t.revision,
         t.started_at, t.ended_at, t.first_seq, t.last_seq, t.missing,
         t.started_at >= dateadd('m', w.x::int, %(base)s::timestamp_ns) AS later
  FROM (
    SELECT * FROM gaps WHERE venue = %(source)s AND started_at < %(last)s
    AND (ended_at IS NULL OR ended_at >= %(first)s)
  ) t CROSS JOIN long_sequence(%(count)s) w
) WHERE NOT later OR (%(mode)s = 'poisoned' AND %(only)s NOT IN ('all', 'gaps'));

-- poison_gaps: a gap of every symbol and channel from the third minute after the cut on, for five minutes.
INSERT INTO gaps (ts, venue, symbol, channel, status, cause, gap_id, revision, started_at, ended_at, missing)
SELECT dateadd('m', w.x::int + 8, %(base)s::timestamp_ns), concat(%(worlds)s, w.x), s.symbol, c.channel, 'lost', 'poison',
       concat(%(worlds)s, w.x, s.symbol, c.channel), 0, dateadd('m', w.x::int + 2, %(base)s::timestamp_ns),
       dateadd('m', w.x::int + 7, %(base)s::timestamp_ns), 1
FROM (
  SELECT DISTINCT symbol FROM ingest_watermarks WHERE venue = %(source)s
) s CROSS JOIN (
  SELECT CASE x WHEN 1 THEN 'trades' WHEN 2 THEN 'quotes' ELSE 'books' END AS channel FROM long_sequence(3)
) c CROSS JOIN long_sequence(%(count)s) w
WHERE %(mode)s = 'poisoned' AND %(only)s IN ('all', 'gaps');

-- clone_marks: up to where each world is complete: its cut if it ends there.
INSERT INTO ingest_watermarks (ts, venue, symbol, channel, watermark, last_seq, acked_rows)
SELECT %(base)s::timestamp_ns, concat(%(worlds)s, w.x), t.symbol, t.channel,
       CASE WHEN %(mode)s = 'truncated' THEN dateadd('m', w.x::int, %(base)s::timestamp_ns) ELSE %(last)s::timestamp_ns END,
       0, 0
FROM (
  SELECT DISTINCT symbol, channel FROM ingest_watermarks WHERE venue = %(source)s
) t CROSS JOIN long_sequence(%(count)s) w;

-- feature_of_worlds: a feature in all worlds of some sets. `this_view` is replaced by the view's name.
DECLARE @from := %(from)s, @to := %(to)s
SELECT ts::long AS ts_ns, venue, symbol, value, null::double AS confidence FROM this_view WHERE venue LIKE %(like)s;

-- signal_of_worlds: a strategy in all worlds of some sets.
DECLARE @from := %(from)s, @to := %(to)s
SELECT ts::long AS ts_ns, venue, symbol, target AS value, confidence FROM this_view WHERE venue LIKE %(like)s;

-- views_behind: materialized views that have not seen all that their table has.
SELECT view_name FROM materialized_views()
WHERE refresh_base_table_txn < base_table_txn OR (view_status = 'refreshing' AND refresh_period_hi IS NOT NULL);
