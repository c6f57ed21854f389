-- tables: the tables and materialized views of a database, with their column of time and the unit of their partitions.
SELECT table_name AS name, designatedTimestamp AS clock, "partitionBy" AS unit, table_type AS kind FROM tables()
WHERE table_type IN ('T', 'M') AND walEnabled;

-- columns: what a row of a table consists of.
SELECT "column" AS name, type AS kind FROM table_columns(%(relation)s);

-- partitions: what a table consists of, with the rows and the span of each part.
SELECT name AS part, numRows AS row_count, minTimestamp::long AS first, maxTimestamp::long AS last
FROM table_partitions(%(relation)s);

-- count: rows of a span.
SELECT count() AS row_count FROM "{relation}"
WHERE "{clock}" >= %(begin)s::{kind} AND "{clock}" < %(end)s::{kind};

-- digest: the sum of the hashes of the rows of a span, which is the same in whatever order they lie.
SELECT sum(('0x' || sha256(concat({cells})))::long256)::varchar AS digest
FROM "{relation}" WHERE "{clock}" >= %(begin)s::{kind} AND "{clock}" < %(end)s::{kind};

-- hashes: the hash of every row of a span.
SELECT sha256(concat({cells})) AS hash
FROM "{relation}" WHERE "{clock}" >= %(begin)s::{kind} AND "{clock}" < %(end)s::{kind};
