-- stable_name: the view by which new work reads a feature or signal; `this_name` and `this_view` are replaced.
CREATE OR REPLACE VIEW this_name AS (SELECT * FROM this_view);

-- drop_view: takes a view away that nobody reads; `this_view` is replaced.
DROP VIEW IF EXISTS this_view;

-- deployed: the text of a view as QuestDB has it.
SELECT view_sql FROM views() WHERE view_name = %(view)s;

-- frozen_feature: how many values of a version of a feature are frozen, of all time.
SELECT count() AS n FROM feature_values f WHERE f.name = %(name)s AND f.version = %(version)s;

-- frozen_signal: the same of a signal.
SELECT count() AS n FROM signal_values v WHERE v.strategy = %(name)s AND v.version = %(version)s;

-- columns: what a view's columns are.
SELECT "column" AS name, type FROM table_columns(%(view)s);

-- recent: the last minutes of a view, as the service `analytics` reads them; `this_view` is replaced.
DECLARE @from := dateadd('m', -6, now()), @to := now()
SELECT ts, symbol FROM this_view WHERE venue = %(venue)s;
