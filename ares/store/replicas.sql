-- watermarks: up to which event time the trades of each symbol of a venue are in this database.
SELECT symbol, watermark::long AS watermark_ns FROM ingest_watermarks
WHERE venue = %(venue)s AND channel = 'trades' LATEST ON ts PARTITION BY symbol;

-- holes: how often messages of ticks were gone before this database got them.
SELECT count() AS holes FROM quarantine WHERE venue = '' AND channel = 'kafka' AND field = 'missed';

-- wal: how far the tables that market data is read from are committed and applied.
SELECT name, suspended, errorTag || ' ' || errorMessage AS cause, writerTxn AS applied, sequencerTxn AS committed
FROM wal_tables()
WHERE name IN ('trades', 'quotes', 'books', 'gaps', 'venue_bars_1m', 'funding', 'ingest_watermarks', 'bars_1m');
