-- applied: up to which transaction each table can be read: where it moved, there may be rows.
SELECT name, writerTxn AS applied FROM wal_tables();
