-- tables: all that holds rows, with the unit of its partitions; materialized views too, for once rows went to the cold
-- tier nobody can make them again.
SELECT table_name AS name, "partitionBy" AS unit FROM tables()
WHERE table_type IN ('T', 'M') AND walEnabled ORDER BY table_name;

-- partitions: what a table consists of, and the rows of each part.
SELECT name AS part, numRows AS row_count FROM table_partitions(%(relation)s);
