-- Processor time of every service, in seconds of processor a second.
SELECT time, service AS metric, sum(used_s / passed_s) AS value
FROM (
  SELECT time, service, cpu_s - lag(cpu_s) OVER (PARTITION BY service, instance ORDER BY time) AS used_s,
         (time::LONG - lag(time::LONG) OVER (PARTITION BY service, instance ORDER BY time)) / 1000000000.0 AS passed_s
  FROM (
    SELECT ts AS time, service, instance, last(cpu_s) AS cpu_s FROM services
    WHERE ts >= $__timeFrom() AND ts <= $__timeTo()
    SAMPLE BY $__interval
  )
)
WHERE used_s >= 0.0 AND passed_s > 0.0
GROUP BY time, service
ORDER BY time
