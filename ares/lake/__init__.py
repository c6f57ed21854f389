"""The one door to Delta Lake and DuckDB: the cold tier and the versions of datasets lie there."""
