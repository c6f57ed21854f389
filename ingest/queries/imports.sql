-- What an import asks of what is stored. All times come as nanoseconds.

-- stored_trades: trades of a symbol between two times and two ids, of the archive as well.
SELECT seq, ts::long AS ts_ns, price, amount, side FROM trades
WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts BETWEEN %(from)s AND %(to)s AND seq BETWEEN %(first)s AND %(last)s
UNION ALL
SELECT seq, ts::long AS ts_ns, price, amount, side FROM trades_archive
WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts BETWEEN %(from)s AND %(to)s AND seq BETWEEN %(first)s AND %(last)s
LIMIT %(rows_max)s;

-- following: the next stored trade with a larger id, of the archive as well.
SELECT seq FROM (
  (SELECT seq FROM trades
   WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(from)s AND seq > %(last)s ORDER BY ts LIMIT 1)
  UNION ALL
  (SELECT seq FROM trades_archive
   WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(from)s AND seq > %(last)s ORDER BY ts LIMIT 1)
) ORDER BY seq LIMIT 1;

-- derived: between which times trades with derived ids are stored (ids from 2^62 on), of the archive as well.
SELECT min(ts)::long AS first_ns, max(ts)::long AS last_ns FROM (
  SELECT ts FROM trades WHERE venue = %(venue)s AND symbol = %(symbol)s AND source = 'import' AND seq >= 4611686018427387904
  UNION ALL
  SELECT ts FROM trades_archive
  WHERE venue = %(venue)s AND symbol = %(symbol)s AND source = 'import' AND seq >= 4611686018427387904
);

-- numbered: between which of two times trades with the venue's own ids are stored, of the archive as well.
SELECT min(ts)::long AS first_ns, max(ts)::long AS last_ns FROM (
  SELECT ts FROM trades
  WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts BETWEEN %(from)s AND %(to)s AND seq < 4611686018427387904
  UNION ALL
  SELECT ts FROM trades_archive
  WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts BETWEEN %(from)s AND %(to)s AND seq < 4611686018427387904
);

-- stored_candles: when the venue's candles of a symbol start that are stored between two times.
SELECT ts::long AS ts_ns FROM venue_bars_1m
WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts BETWEEN %(from)s AND %(to)s;

-- refused: what of earlier imports lies in quarantine.
SELECT DISTINCT digest FROM quarantine WHERE venue = %(venue)s AND channel = 'import' LIMIT %(rows_max)s;

-- before: a stored trade with a smaller id, the nearest in time.
SELECT seq, ts::long AS ts_ns FROM trades
WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts <= %(ts)s AND seq < %(seq)s ORDER BY ts DESC LIMIT 1;

-- after: a stored trade with a larger id, the nearest in time; derived ids (from 2^62 on) follow on nothing.
SELECT seq, ts::long AS ts_ns FROM trades
WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(ts)s AND seq > %(seq)s AND seq < 4611686018427387904
ORDER BY ts LIMIT 1;

-- inside: how many trades are stored between two ids, the smallest and the largest of these ids, and their times.
SELECT count() AS stored, min(seq) AS first_seq, max(seq) AS last_seq, min(ts)::long AS first_ns, max(ts)::long AS last_ns
FROM trades WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts BETWEEN %(from)s AND %(to)s
  AND seq BETWEEN %(first)s AND %(last)s;

-- holes: ranges of ids between two stored trades that are not stored.
SELECT first_seq, last_seq, started_ns, ended_ns FROM (
  SELECT lag(seq) OVER (ORDER BY seq) + 1 AS first_seq, seq - 1 AS last_seq,
    lag(ts::long) OVER (ORDER BY seq) AS started_ns, ts::long AS ended_ns
  FROM trades WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts BETWEEN %(from)s AND %(to)s
    AND seq BETWEEN %(first)s AND %(last)s
) WHERE first_seq IS NOT NULL AND last_seq >= first_seq ORDER BY first_seq LIMIT %(holes_max)s;
