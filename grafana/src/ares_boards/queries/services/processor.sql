-- Processor time of every service, in seconds of processor a second.
SELECT time, service AS metric, value FROM (
  SELECT time, service,
         (cpu_s - lag(cpu_s) OVER (PARTITION BY service, instance ORDER BY time))
           / ((time::LONG - lag(time::LONG) OVER (PARTITION BY service, instance ORDER BY time)) / 1000000000.0) AS value
  FROM (
    SELECT ts AS time, service, instance, last(cpu_s) AS cpu_s FROM services
    WHERE ts >= $__timeFrom() AND ts <= $__timeTo()
    SAMPLE BY $__interval
  )
) WHERE value >= 0.0
ORDER BY time
