-- How far stated probabilities lie from what happened: the expected error, with the limits it is graded by.
SELECT ts AS time, concat(role, ' ', d.version) AS series, avg(value) AS error, max(warn) AS warn, max(fail) AS fail
FROM drift d
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND model IN (${model:sqlstring}) AND metric = 'calibration'
SAMPLE BY $__interval
ORDER BY time
