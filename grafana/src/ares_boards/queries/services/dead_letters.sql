-- What no handler could take within the chosen time.
SELECT count() AS letters FROM dead_letters WHERE ts >= $__timeFrom() AND ts <= $__timeTo()
