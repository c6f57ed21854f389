-- Tables to which QuestDB applies nothing any more.
SELECT count() AS tables FROM wal_tables() WHERE suspended
