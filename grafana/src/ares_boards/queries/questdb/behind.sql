-- Transactions that are acknowledged and cannot be read yet, over all tables.
SELECT sum(sequencerTxn - writerTxn) AS transactions FROM wal_tables()
