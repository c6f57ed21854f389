-- edges: everything that was ever made from something, each pair once a job, with when and how it was said last.
SELECT job, from_kind, from_name, to_kind, to_name, last(detail) AS detail, max(ts)::long AS ts_ns FROM lineage
GROUP BY job, from_kind, from_name, to_kind, to_name;

-- retired: the versions of datasets that were given up.
SELECT DISTINCT name, version AS number FROM datasets WHERE status = 'retired';

-- deployed_views: the plain views as they stand here, by their text.
SELECT view_name, view_sql FROM views();

-- defined: of every view the run that said last what it reads.
SELECT run_id FROM lineage WHERE job = %(job)s LATEST ON ts PARTITION BY to_name;
