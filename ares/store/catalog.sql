-- columns: every column of every table and view, and of which kind it is. Arrays and decimals are of a type that QuestDB
-- calls unknown. Columns of plain views are listed only by the server that made them, until it ends (QuestDB 9.3).
SELECT c.table_name, c.column_name, c.ordinal_position AS place,
  CASE WHEN c.data_type != 'unknown' THEN c.data_type
       WHEN c.column_name IN ('bids', 'asks') THEN 'double precision[][]' ELSE 'numeric' END AS type,
  CASE t.table_type WHEN 'V' THEN 'view' WHEN 'M' THEN 'view' ELSE 'table' END AS kind
FROM information_schema.columns() c JOIN tables() t ON c.table_name = t.table_name
ORDER BY c.table_name, c.ordinal_position;

-- relations: every table and view.
SELECT table_name FROM tables();

-- known: what was written of them.
SELECT table_name, column_name, kind, type, unit, status, place, meaning FROM catalog_columns;
