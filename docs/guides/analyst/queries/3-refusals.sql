-- Which limit stopped us, how often, and by how much at worst?
SELECT rule, symbol, unit, count() AS refusals, max(observed::DOUBLE) AS observed_max, max(limit_value::DOUBLE) AS limit_value
FROM decisions WHERE action = 'refuse' AND ts > dateadd('d', -1, now())
ORDER BY refusals DESC
