-- signals_now: the newest signal of every strategy, version and symbol, as it was known at a moment.
-- (`version` is qualified everywhere: over a window function QuestDB takes the bare word for its version() function.)
DECLARE @t := %(t)s, @from := %(since)s, @to := %(t)s
SELECT n.strategy, n.version, n.symbol, n.ts_ns, n.known_at_ns, n.target, n.confidence FROM (
  SELECT s.strategy, s.version, s.symbol, s.ts::long AS ts_ns, s.known_at::long AS known_at_ns, s.target, s.confidence,
         row_number() OVER (PARTITION BY s.strategy, s.version, s.symbol ORDER BY s.ts DESC) AS newness
  FROM signals_asof s WHERE s.venue = %(venue)s
) n WHERE n.newness = 1;

-- quotes_now: the newest best bid and ask of every symbol.
SELECT symbol, bid, ask, received_at::long AS received_at_ns
FROM quotes WHERE venue = %(venue)s AND ts > %(since)s LATEST ON ts PARTITION BY symbol;

-- trades_now: the price of the newest public trade of every symbol.
SELECT symbol, price FROM trades WHERE venue = %(venue)s AND ts > %(since)s LATEST ON ts PARTITION BY symbol;

-- signals_applied: the number of the last commit of signals that can be read.
SELECT writerTxn AS applied FROM wal_tables() WHERE name = 'signal_values';

-- newest_signal: when the newest signal of the live market became known.
SELECT max(known_at)::long AS known_at_ns FROM signal_values
WHERE venue = %(venue)s AND known_at_kind = 'live' AND ts > %(since)s;

-- activity_now: what was traded of each symbol in the last hour, in quote, and how wild that hour was beside the day:
-- the root mean square of one-minute log returns of the hour over that of the day; NULL for too few minutes.
SELECT symbol, volume_quote,
       CASE WHEN known >= %(minutes_min)s AND day_square > 0.0 THEN sqrt(hour_square / day_square) END AS turbulence
FROM (
  SELECT symbol, sum(CASE WHEN ts >= %(hour)s THEN cost ELSE 0.0 END) AS volume_quote,
         avg(CASE WHEN ts >= %(hour)s THEN change * change END) AS hour_square, avg(change * change) AS day_square,
         sum(CASE WHEN ts >= %(hour)s AND change IS NOT NULL THEN 1 ELSE 0 END) AS known
  FROM (
    SELECT ts, symbol, cost, ln(close / lag(close) OVER (PARTITION BY symbol ORDER BY ts)) AS change
    FROM bars_1m WHERE venue = %(venue)s AND ts >= %(since)s AND ts <= %(now)s
  )
);

-- losses_now: the loss within an hour, a share of the price, that one of twenty hours exceeds, by each symbol's own
-- history. Hours after a hole do not count, gains are losses of 0; no row for a symbol with too few hours.
SELECT symbol, loss FROM (
  SELECT symbol, loss, row_number() OVER (PARTITION BY symbol ORDER BY loss DESC) AS place,
         count(loss) OVER (PARTITION BY symbol) AS known
  FROM (
    SELECT symbol, CASE WHEN close < before THEN 1.0 - close / before ELSE 0.0 END AS loss
    FROM (
      SELECT ts, symbol, close, lag(close) OVER (PARTITION BY symbol ORDER BY ts) AS before,
             lag(ts) OVER (PARTITION BY symbol ORDER BY ts) AS before_ts
      FROM bars_1h WHERE venue = %(venue)s AND ts >= %(since)s AND ts <= %(now)s
    ) WHERE before IS NOT NULL AND datediff('h', before_ts, ts) = 1
  )
) WHERE known >= %(hours_min)s AND place = known / 20 + 1;

-- rises_now: the same for gains, which are what a short loses: how much the price rose within an hour, a share of it.
SELECT symbol, loss FROM (
  SELECT symbol, loss, row_number() OVER (PARTITION BY symbol ORDER BY loss DESC) AS place,
         count(loss) OVER (PARTITION BY symbol) AS known
  FROM (
    SELECT symbol, CASE WHEN close > before THEN close / before - 1.0 ELSE 0.0 END AS loss
    FROM (
      SELECT ts, symbol, close, lag(close) OVER (PARTITION BY symbol ORDER BY ts) AS before,
             lag(ts) OVER (PARTITION BY symbol ORDER BY ts) AS before_ts
      FROM bars_1h WHERE venue = %(venue)s AND ts >= %(since)s AND ts <= %(now)s
    ) WHERE before IS NOT NULL AND datediff('h', before_ts, ts) = 1
  )
) WHERE known >= %(hours_min)s AND place = known / 20 + 1;
