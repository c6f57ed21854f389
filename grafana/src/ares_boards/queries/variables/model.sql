-- The models that scored or were trained; 'none' where there is none.
SELECT DISTINCT model FROM model_events WHERE model IS NOT NULL
UNION ALL
SELECT 'none' AS model FROM (SELECT count() AS known FROM model_events) WHERE known = 0
