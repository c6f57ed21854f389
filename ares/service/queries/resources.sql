-- memory_slopes: instances whose resident memory grew faster than so many MiB an hour, by least squares.
SELECT instance, mb_per_hour, beats
FROM (
  SELECT b.instance, regr_slope(b.resident_mb, (b.ts::long / 1000000)::double) * 3600000.0 AS mb_per_hour, count() AS beats
  FROM services b
  JOIN (SELECT instance, min(ts)::long AS first_ns, max(ts)::long AS last_ns FROM services WHERE ts >= %(since)s) w
    ON b.instance = w.instance
  WHERE b.ts >= %(since)s AND b.ts::long > w.first_ns + (w.last_ns - w.first_ns) / 10 AND b.resident_mb > 0
)
WHERE beats >= %(beats_min)s AND mb_per_hour > %(slope_min)s
ORDER BY mb_per_hour DESC
