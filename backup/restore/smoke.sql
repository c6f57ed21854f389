-- relations: all tables and views of a database, with their kind.
SELECT table_name AS name, table_type AS kind FROM tables() ORDER BY table_name;

-- answers: one row of a relation; a view compiles and runs.
SELECT * FROM "{relation}" LIMIT 1;
