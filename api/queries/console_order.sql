-- inputs: the features that a strategy's signal is made of, as the lineage says.
SELECT DISTINCT from_name FROM lineage WHERE to_kind = 'signal' AND from_kind = 'feature' AND to_name = %(signal)s;
