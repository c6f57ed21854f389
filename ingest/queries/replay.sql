-- What a replay asks of what is stored. All times come as nanoseconds.

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
