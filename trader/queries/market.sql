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
