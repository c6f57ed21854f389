-- columns: what a table consists of, which of it is its column of time, and by which it tells rows apart.
SELECT "column" AS name, type AS kind, designated, upsertKey AS key FROM table_columns(%(relation)s);

-- page: rows from a moment on, in order of time; the last moment of a page may be cut off.
SELECT {cells} FROM "{relation}" WHERE "{clock}" >= %(begin)s::{kind} ORDER BY "{clock}" LIMIT %(rows_max)s;

-- keys_between: the keys of the rows of a span.
SELECT {cells} FROM "{relation}" WHERE "{clock}" >= %(begin)s::{kind} AND "{clock}" <= %(end)s::{kind};
