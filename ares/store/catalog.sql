-- columns: every column of every table and view, and of which kind it is.
SELECT c.table_name, c.column_name, c.data_type AS type, c.ordinal_position AS place,
  CASE t.table_type WHEN 'V' THEN 'view' WHEN 'M' THEN 'view' ELSE 'table' END AS kind
FROM information_schema.columns() c JOIN tables() t ON c.table_name = t.table_name
ORDER BY c.table_name, c.ordinal_position;

-- known: what was written of them.
SELECT table_name, column_name, kind, type, unit, status, place, meaning FROM catalog_columns;
