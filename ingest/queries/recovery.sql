-- What ingest reads at its start to continue where it ended. All times come as nanoseconds.

-- trade_bounds: first and last trade of a symbol that was recorded; no row where there are none. Imported and
-- replayed ones are outside of what we recorded: ids between them and ours were never ours to miss.
SELECT first_seq, last_seq, first_ts_ns, last_ts_ns FROM (
  SELECT min(seq) AS first_seq, max(seq) AS last_seq, min(ts)::long AS first_ts_ns, max(ts)::long AS last_ts_ns
  FROM trades WHERE venue = %(venue)s AND symbol = %(symbol)s AND source IN ('stream', 'rest')
) WHERE first_seq IS NOT NULL;

-- trade_scan: how many trades from %(scan_from)s on with an id between those two are stored, wherever they came from,
-- and the smallest of these ids (NULL: none).
SELECT min(seq) AS first_scanned, count() AS scanned
FROM trades WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(scan_from)s
  AND seq >= %(first_seq)s AND seq <= %(last_seq)s;

-- recent_trades: the newest trades of a symbol that were recorded, newest first.
SELECT trade_id, ts::long AS ts_ns FROM (
  SELECT trade_id, ts, seq FROM trades
  WHERE venue = %(venue)s AND symbol = %(symbol)s AND source IN ('stream', 'rest')
  ORDER BY ts DESC LIMIT %(trades_max)s
) ORDER BY ts DESC, seq DESC;

-- holes: ranges of ids between those two that are not stored, from %(scan_from)s on.
SELECT first_seq, last_seq, started_ns, ended_ns FROM (
  SELECT lag(seq) OVER (ORDER BY seq) + 1 AS first_seq, seq - 1 AS last_seq,
    lag(ts::long) OVER (ORDER BY seq) AS started_ns, ts::long AS ended_ns
  FROM trades WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(scan_from)s
    AND seq >= %(first_seq)s AND seq <= %(last_seq)s
) WHERE first_seq IS NOT NULL AND last_seq >= first_seq ORDER BY first_seq LIMIT %(holes_max)s;

-- gaps: the newest revision of every gap of a symbol that is not healed.
SELECT channel, status, cause, gap_id, revision, started_at::long AS started_ns, ended_at::long AS ended_ns,
  first_seq, last_seq
FROM (SELECT * FROM gaps WHERE venue = %(venue)s AND symbol = %(symbol)s LATEST ON ts PARTITION BY gap_id)
WHERE status <> 'healed' ORDER BY started_ns;

-- last_quote: event time of the newest stored quote of a symbol.
SELECT max(ts)::long AS last_ns FROM quotes WHERE venue = %(venue)s AND symbol = %(symbol)s;

-- last_book: event time of the newest stored book of a symbol.
SELECT max(ts)::long AS last_ns FROM books WHERE venue = %(venue)s AND symbol = %(symbol)s;

-- last_funding: event time of the newest stored prediction of a symbol's funding rate.
SELECT max(ts)::long AS last_ns FROM funding WHERE venue = %(venue)s AND symbol = %(symbol)s AND kind = 'predicted';

-- settled_funding: when a symbol's stored funding rates from %(from)s on were settled.
SELECT ts::long AS settled_ns FROM funding
WHERE venue = %(venue)s AND symbol = %(symbol)s AND kind = 'settled' AND ts >= %(from)s;

-- watermark: the newest published watermark of a symbol's live trades.
SELECT max(watermark)::long AS watermark_ns FROM ingest_watermarks
WHERE venue = %(venue)s AND symbol = %(symbol)s AND channel = 'trades';

-- instrument: the newest stored version of an instrument.
SELECT venue_symbol, base, quote, price_tick, amount_step, cost_min, maker_fee, taker_fee, active, contract, contract_size
FROM instruments WHERE venue = %(venue)s AND symbol = %(symbol)s LATEST ON ts PARTITION BY venue, symbol;

-- bars_stored: how many of the venue's candles are stored from %(from)s on, and when the newest starts.
SELECT count() AS bars, max(ts)::long AS newest_ns FROM venue_bars_1m
WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(from)s;
