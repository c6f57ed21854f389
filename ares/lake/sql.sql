-- prepare: nothing outside of what is handed in can be reached, and memory is bounded.
SET TimeZone = 'UTC'; SET memory_limit = 'this_memory'; SET temp_directory = 'this_folder';
SET python_enable_replacements = false; SET enable_external_access = false; SET lock_configuration = true;

-- view: a table as one: the rows of QuestDB, and those of the cold tier of days that QuestDB does not have whole.
CREATE TEMP VIEW this_table AS
SELECT * FROM hot_this_table
WHERE (venue, symbol, strftime(ts, '%Y-%m-%d')) IN (SELECT (venue, symbol, day) FROM days_this_table WHERE source <> 'cold')
UNION ALL BY NAME
SELECT * EXCLUDE (these_excluded) REPLACE (these_restored) FROM cold_this_table AS cold
WHERE (venue, symbol, day) IN (SELECT (venue, symbol, day) FROM days_this_table WHERE source <> 'hot')
AND NOT EXISTS (SELECT 1 FROM hot_this_table AS hot WHERE these_keys_equal);

-- view_of_hot: the same while nothing of it is in the cold tier.
CREATE TEMP VIEW this_table AS SELECT * FROM hot_this_table;

-- restored: a time with the nanoseconds that lie beside it.
make_timestamp_ns(epoch_us(cold.this_column) * 1000 + cold.this_column_nanos) AS this_column

-- key_equal: the same key in both, NULL being equal to NULL; a time by its nanoseconds.
hot.this_column IS NOT DISTINCT FROM cold.this_column

-- time_equal: the same of a time.
epoch_ns(hot.this_column) = epoch_us(cold.this_column) * 1000 + cold.this_column_nanos

-- sorted: the rows of a part in the order of time.
SELECT * FROM part ORDER BY these_keys
