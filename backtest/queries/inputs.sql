-- bars: the bars of one minute of a symbol as they were frozen at last, a stretch of them.
DECLARE @t := '2261-01-01T00:00:00Z', @from := %(from)s, @to := %(to)s
SELECT ts, open, high, low, close, volume FROM bars_asof
WHERE venue = %(venue)s AND symbol = %(symbol)s AND interval = '1m' AND ts < %(to)s ORDER BY ts;

-- signals: every revision of a strategy's signals that became known in a stretch, in that order.
-- (`version` is qualified: QuestDB takes the bare word for its version() function.)
SELECT s.ts, s.known_at, s.target, s.confidence FROM signal_values s
WHERE s.venue = %(venue)s AND s.symbol = %(symbol)s AND s.strategy = %(strategy)s AND s.version = %(version)s::long
  AND s.ts >= %(since)s AND s.ts < %(to)s AND s.known_at >= %(from)s AND s.known_at < %(to)s
ORDER BY s.known_at, s.ts, s.revision;

-- trades: the public trades of a symbol, in the venue's order; sold is 1 where the taker sold.
SELECT ts, price, amount, CASE WHEN side = 'sell' THEN 1 ELSE 0 END AS sold FROM trades
WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(from)s AND ts < %(to)s ORDER BY ts, seq;

-- quotes: best bid and ask of a symbol as we had them, in that order; those that say nothing sound are left out.
SELECT received_at, bid, ask, bid_amount, ask_amount FROM quotes
WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(from)s AND ts < %(to)s
  AND bid > 0.0 AND bid <= ask AND received_at IS NOT NULL
ORDER BY received_at, update_id;

-- instruments: the newest version of every instrument of a venue.
SELECT symbol, price_tick, amount_step, cost_min, maker_fee, taker_fee FROM instruments
WHERE venue = %(venue)s LATEST ON ts PARTITION BY symbol;

-- strategies: which strategies have signals of a venue, and of which symbols.
SELECT DISTINCT s.strategy, s.version, s.symbol FROM signal_values s
WHERE s.venue = %(venue)s ORDER BY s.strategy, s.version, s.symbol;

-- view: the definition of a view, as the database keeps it.
SELECT view_sql FROM views() WHERE view_name = %(view)s;
