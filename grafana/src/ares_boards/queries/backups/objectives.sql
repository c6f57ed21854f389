-- What each drill measured: seconds of data lost, market and journal, and seconds until the way back was done.
SELECT ts AS time, max(rpo_market_s) AS lost_market, max(rpo_journal_s) AS lost_journal, max(rto_s) AS back_after
FROM restore_drills
WHERE ts >= $__timeFrom() AND ts <= $__timeTo()
SAMPLE BY $__interval
ORDER BY time
