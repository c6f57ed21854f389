-- What all tables take on disk, in bytes.
SELECT sum(diskSize) AS bytes FROM table_storage()
