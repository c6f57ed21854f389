-- instruments: what each venue lists, by its newest version.
SELECT ts::long AS ts, venue, symbol, base, quote, venue_symbol, price_tick, amount_step, cost_min, maker_fee, taker_fee,
       active, contract, contract_size
FROM (instruments LATEST ON ts PARTITION BY venue, symbol)
WHERE (%(venue)s = '' OR venue = %(venue)s) AND (%(symbol)s = '' OR symbol = %(symbol)s)
ORDER BY venue, symbol LIMIT %(skip)s, %(end)s;

-- trades: public trades, newest first.
SELECT ts::long AS ts, venue, symbol, side, source, trade_id, seq, price, amount, received_at::long AS received_at
FROM trades WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(venue)s = '' OR venue = %(venue)s) AND (%(symbol)s = '' OR symbol = %(symbol)s)
ORDER BY ts DESC, trade_id DESC LIMIT %(skip)s, %(end)s;

-- quotes: changes of best bid and ask, newest first.
SELECT ts::long AS ts, venue, symbol, ts_source, update_id, bid, bid_amount, ask, ask_amount,
       received_at::long AS received_at
FROM quotes WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(venue)s = '' OR venue = %(venue)s) AND (%(symbol)s = '' OR symbol = %(symbol)s)
ORDER BY ts DESC, update_id DESC LIMIT %(skip)s, %(end)s;

-- bars_1m: minutes as they are now, newest first; status tells a quiet minute from a gap.
DECLARE @from := %(since)s, @to := %(until)s
SELECT ts::long AS ts, venue, symbol, status, open, high, low, close, volume, cost, trades, buy_volume
FROM bars_1m_checked WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(venue)s = '' OR venue = %(venue)s) AND (%(symbol)s = '' OR symbol = %(symbol)s)
ORDER BY ts DESC, venue, symbol LIMIT %(skip)s, %(end)s;

-- bars_5m: five minutes as they are now, newest first; without trades there is none.
SELECT ts::long AS ts, venue, symbol, 'traded' AS status, open, high, low, close, volume, cost, trades, buy_volume
FROM bars_5m WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(venue)s = '' OR venue = %(venue)s) AND (%(symbol)s = '' OR symbol = %(symbol)s)
ORDER BY ts DESC, venue, symbol LIMIT %(skip)s, %(end)s;

-- bars_1h: hours as they are now, newest first; without trades there is none.
SELECT ts::long AS ts, venue, symbol, 'traded' AS status, open, high, low, close, volume, cost, trades, buy_volume
FROM bars_1h WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(venue)s = '' OR venue = %(venue)s) AND (%(symbol)s = '' OR symbol = %(symbol)s)
ORDER BY ts DESC, venue, symbol LIMIT %(skip)s, %(end)s;

-- bars_1d: days as they are now, newest first; without trades there is none.
SELECT ts::long AS ts, venue, symbol, 'traded' AS status, open, high, low, close, volume, cost, trades, buy_volume
FROM bars_1d WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(venue)s = '' OR venue = %(venue)s) AND (%(symbol)s = '' OR symbol = %(symbol)s)
ORDER BY ts DESC, venue, symbol LIMIT %(skip)s, %(end)s;

-- funding: rates of perpetual contracts, predicted and settled, newest first.
SELECT ts::long AS ts, venue, symbol, kind, rate, mark_price, index_price, funding_at::long AS funding_at
FROM funding WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(venue)s = '' OR venue = %(venue)s) AND (%(symbol)s = '' OR symbol = %(symbol)s)
ORDER BY ts DESC, venue, symbol, kind LIMIT %(skip)s, %(end)s;

-- gaps: what is missing, and how it was healed, by the newest revision of each gap, newest first.
SELECT ts::long AS ts, venue, symbol, channel, status, cause, healed_by, gap_id, revision,
       started_at::long AS started_at, ended_at::long AS ended_at, first_seq, last_seq, missing
FROM (gaps LATEST ON ts PARTITION BY gap_id)
WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(venue)s = '' OR venue = %(venue)s) AND (%(symbol)s = '' OR symbol = %(symbol)s)
  AND (%(channel)s = '' OR channel = %(channel)s) AND (%(status)s = '' OR status = %(status)s)
ORDER BY ts DESC, gap_id LIMIT %(skip)s, %(end)s;

-- quality: what checks of the data observed, newest first.
SELECT ts::long AS ts, check_name, venue, symbol, channel, grade, unit, observed, warn_limit, fail_limit,
       span_from::long AS span_from, span_to::long AS span_to, detail
FROM quality_checks WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(venue)s = '' OR venue = %(venue)s) AND (%(symbol)s = '' OR symbol = %(symbol)s)
  AND (%(channel)s = '' OR channel = %(channel)s) AND (%(grade)s = '' OR grade = %(grade)s)
ORDER BY ts DESC, check_name, venue, symbol, channel LIMIT %(skip)s, %(end)s;
