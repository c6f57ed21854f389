-- The venues whose instruments are known; 'none' where no venue was ever asked.
SELECT DISTINCT venue FROM instruments WHERE venue IS NOT NULL
UNION ALL
SELECT 'none' AS venue FROM (SELECT count() AS known FROM instruments) WHERE known = 0
