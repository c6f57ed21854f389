-- market_bars: the bars of a span as candles of the venue; what is a gap is none.
DECLARE @from := %(from)s, @to := %(to)s
SELECT ts::long AS ts, venue, symbol, open, high, low, close, volume, cost, trades, buy_volume, ts::long AS received_at
FROM bars_1m_checked WHERE venue = %(venue)s AND status <> 'gap' AND close IS NOT NULL;

-- market_trades: the trades of a span.
SELECT ts::long AS ts, venue, symbol, side, source, trade_id, seq, price, amount, received_at::long AS received_at
FROM trades WHERE venue = %(venue)s AND ts >= %(from)s AND ts < %(to)s LIMIT %(rows_max)s;

-- market_quotes: the quotes of a span.
SELECT ts::long AS ts, venue, symbol, ts_source, update_id, bid, bid_amount, ask, ask_amount,
       received_at::long AS received_at
FROM quotes WHERE venue = %(venue)s AND ts >= %(from)s AND ts < %(to)s LIMIT %(rows_max)s;

-- market_books: the books of a span.
SELECT ts::long AS ts, venue, symbol, ts_source, update_id, bids, asks, received_at::long AS received_at
FROM books WHERE venue = %(venue)s AND ts >= %(from)s AND ts < %(to)s LIMIT %(rows_max)s;

-- market_funding: the funding rates of a span.
SELECT ts::long AS ts, venue, symbol, kind, rate, mark_price, index_price, funding_at::long AS funding_at,
       received_at::long AS received_at
FROM funding WHERE venue = %(venue)s AND ts >= %(from)s AND ts < %(to)s LIMIT %(rows_max)s;

-- market_predictions: the scores of a span.
SELECT p.ts::long AS ts, p.venue, p.symbol, p.model, p.version, p.known_at_kind, p.score, p.known_at::long AS known_at
FROM predictions p WHERE p.venue = %(venue)s AND p.ts >= %(from)s AND p.ts < %(to)s LIMIT %(rows_max)s;

-- market_gaps: what is missing of a span, as it is known now.
SELECT ts::long AS ts, venue, symbol, channel, status, cause, gap_id, revision, started_at::long AS started_at,
       ended_at::long AS ended_at
FROM (SELECT * FROM gaps WHERE venue = %(venue)s LATEST ON ts PARTITION BY gap_id)
WHERE status <> 'healed' AND started_at < %(to)s AND (ended_at IS NULL OR ended_at >= %(from)s) LIMIT %(rows_max)s;

-- graded_features: what the frozen values of every feature are like, by symbol; the newest revision counts.
DECLARE @from := %(from)s, @to := %(to)s
SELECT f.name, f.version, f.symbol, count() AS rows, sum(CASE WHEN f.value IS NULL THEN 1 ELSE 0 END) AS nulls,
       min(f.value) AS least, max(f.value) AS most, count_distinct(f.value::string) AS different
FROM features_asof f WHERE f.venue = %(venue)s GROUP BY f.name, f.version, f.symbol;

-- graded_signals: the same of the targets of every strategy.
DECLARE @from := %(from)s, @to := %(to)s
SELECT f.strategy AS name, f.version, f.symbol, count() AS rows, 0 AS nulls,
       min(f.target) AS least, max(f.target) AS most, count_distinct(f.target::string) AS different
FROM signals_asof f WHERE f.venue = %(venue)s GROUP BY f.strategy, f.version, f.symbol;

-- newest_frozen: the newest bar of a venue that is frozen, of the last days.
SELECT max(ts)::long AS ts_ns FROM bar_facts WHERE venue = %(venue)s AND ts >= dateadd('d', -3, now());

-- serve: of every feature the newest frozen value per symbol, of the last half hour.
DECLARE @from := dateadd('m', -30, now()), @to := now()
SELECT f.symbol, f.name, f.version, f.ts::long AS ts_ns, f.value, f.known_at::long AS known_ns
FROM features_asof f WHERE f.venue = %(venue)s LATEST ON ts PARTITION BY symbol, name, version;

-- known_bars: the bars of symbols in a span, with the time at which each was first known; a symbol by its place in a list.
SELECT b.ts, b.known_at, CASE b.symbol %(codes)s END AS code FROM bar_facts b
WHERE b.venue = %(venue)s AND b.symbol IN %(symbols)s AND b.interval = '1m' AND b.revision = 0
AND b.ts >= %(from)s AND b.ts < %(to)s;

-- first_values: the first revisions of features' values of symbols in a span, with the time from which each was known.
-- Names by their places in lists: as text they cost more than all else together.
SELECT f.ts, f.value, f.known_at, CASE f.symbol %(codes)s END AS code, CASE f.name %(columns)s END AS place
FROM feature_values f
WHERE f.venue = %(venue)s AND f.symbol IN %(symbols)s AND f.name IN %(names)s AND f.version = %(version)s
AND f.revision = 0 AND f.ts >= %(from)s AND f.ts < %(to)s;

-- corrected_values: the same of all later revisions.
SELECT f.ts, f.value, f.known_at, CASE f.symbol %(codes)s END AS code, CASE f.name %(columns)s END AS place
FROM feature_values f
WHERE f.venue = %(venue)s AND f.symbol IN %(symbols)s AND f.name IN %(names)s AND f.version = %(version)s
AND f.revision > 0 AND f.ts >= %(from)s AND f.ts < %(to)s;
