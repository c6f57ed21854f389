-- What a replay asks of what is stored. All times come as nanoseconds.

-- stored_by_id: a symbol's trades between two times, of the archive as well.
SELECT trade_id, ts::long AS ts_ns, price, amount, side FROM trades
WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts BETWEEN %(from)s AND %(to)s
UNION ALL
SELECT trade_id, ts::long AS ts_ns, price, amount, side FROM trades_archive
WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts BETWEEN %(from)s AND %(to)s;

-- healed: spans of time of a symbol's trades that were missing once and are there now.
SELECT gap_id, started_at::long AS started_ns, ended_at::long AS ended_ns
FROM (SELECT * FROM gaps WHERE venue = %(venue)s AND symbol = %(symbol)s AND channel = 'trades'
  LATEST ON ts PARTITION BY gap_id)
WHERE status = 'healed' ORDER BY started_ns;

-- stored_quotes: the keys of a symbol's quotes between two times.
SELECT ts::long AS ts_ns, update_id FROM quotes
WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts BETWEEN %(from)s AND %(to)s;

-- stored_books: the keys of a symbol's books between two times.
SELECT ts::long AS ts_ns, update_id FROM books
WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts BETWEEN %(from)s AND %(to)s;

-- stored_funding: when a symbol's funding rates between two times were predicted.
SELECT ts::long AS ts_ns FROM funding
WHERE venue = %(venue)s AND symbol = %(symbol)s AND kind = 'predicted' AND ts BETWEEN %(from)s AND %(to)s;

-- stored_refused: the keys of what was refused of a venue between two times.
SELECT ts::long AS ts_ns, channel, digest FROM quarantine
WHERE venue = %(venue)s AND ts BETWEEN %(from)s AND %(to)s;

-- retention: how long rows of a table live; 0: for ever.
SELECT table_name, ttlValue AS ttl, ttlUnit AS unit FROM tables() WHERE table_name IN ('quotes', 'books', 'quarantine');
