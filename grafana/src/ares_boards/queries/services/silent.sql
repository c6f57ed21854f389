-- Services of the last day that gave no sign of life for a minute, and did not end in order.
SELECT count() AS silent FROM (
  SELECT ts, state FROM services WHERE ts >= dateadd('d', -1, now()) LATEST ON ts PARTITION BY service, instance
) WHERE state <> 'stopped' AND ts < dateadd('m', -1, now())
