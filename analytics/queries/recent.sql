-- basis: what bars of the last minutes rest on, minute by minute, and what all of them rest on; and the server's clock.
-- Where nothing of it changes, bars that were worked out stay as they are.
SELECT 'own' AS source, ts::long AS ts_ns, count() AS bars, sum(trades) AS sum FROM bars_1m
WHERE venue = %(venue)s AND ts >= dateadd('m', -%(minutes)s, now())
UNION ALL
SELECT 'theirs', ts::long, count(), sum(trades) FROM venue_bars_1m
WHERE venue = %(venue)s AND ts >= dateadd('m', -%(minutes)s, now())
UNION ALL
SELECT 'own since', 0L, count(), sum(since) FROM (
  SELECT symbol, min(first_ts)::long / 60000000000L AS since FROM bar_days WHERE venue = %(venue)s
)
UNION ALL
SELECT 'theirs since', 0L, count(), sum(since) FROM (
  SELECT symbol, min(first_ts)::long / 60000000000L AS since FROM venue_bar_days WHERE venue = %(venue)s
)
UNION ALL
SELECT 'gaps', 0L, sequencerTxn, 0L FROM wal_tables() WHERE name = 'gaps'
UNION ALL
SELECT 'now', now()::long * 1000L, 0L, 0L FROM long_sequence(1);

-- work_out: the bars of the last minutes and of a warm-up before them. Its texts are few, so that plans are cached.
INSERT INTO bars_1m_recent
SELECT ts, venue, symbol, status, origin, open, high, low, close, volume, cost, trades, buy_volume FROM (
  DECLARE @from := dateadd('m', -%(minutes)s, now()), @to := now(), @warm_up := %(warm_up)s
  SELECT * FROM bars_1m_checked WHERE venue = %(venue)s
);

-- bars: those that were worked out, from a moment on.
SELECT ts::long AS ts_ns, symbol, status, origin, open, high, low, close, volume, cost, trades, buy_volume
FROM bars_1m_recent WHERE venue = %(venue)s AND ts >= %(from)s;

-- count: how many there are.
SELECT count() AS bars FROM bars_1m_recent WHERE venue = %(venue)s AND ts >= %(from)s;
