-- What lies in the cold tier, by table and how far it is proved.
SELECT table_name, state, count() AS days, sum(rows) AS rows, sum(delta_bytes) AS bytes
FROM (SELECT * FROM cold_partitions LATEST ON ts PARTITION BY table_name, venue, symbol)
GROUP BY table_name, state
ORDER BY table_name, state
