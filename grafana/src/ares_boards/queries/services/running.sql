-- Services that gave a sign of life within the last minute.
SELECT count() AS running FROM (
  SELECT state FROM services WHERE ts >= dateadd('m', -1, now()) LATEST ON ts PARTITION BY service, instance
) WHERE state <> 'stopped'
