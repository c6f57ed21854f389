-- watermarks: up to which event time the trades of each symbol of a venue are in this database.
SELECT symbol, watermark::long AS watermark_ns FROM ingest_watermarks
WHERE venue = %(venue)s AND channel = 'trades' LATEST ON ts PARTITION BY symbol;

-- wal: how far the tables that market data is read from are committed and applied.
SELECT name, suspended, writerTxn AS applied, sequencerTxn AS committed FROM wal_tables()
WHERE name IN ('trades', 'quotes', 'books', 'gaps', 'venue_bars_1m', 'ingest_watermarks', 'bars_1m');
