-- The strategies that decided or hold something; 'none' where there is no such thing.
SELECT DISTINCT strategy FROM (
  SELECT strategy FROM decisions WHERE ts >= dateadd('d', -7, now()) AND strategy IS NOT NULL
  UNION
  SELECT strategy FROM positions WHERE strategy IS NOT NULL
)
UNION ALL
SELECT 'none' AS strategy FROM (SELECT count() AS known FROM position_events) p
CROSS JOIN (SELECT count() AS decided FROM decisions) d
WHERE p.known = 0 AND d.decided = 0
