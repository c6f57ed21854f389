-- Copies and checks that failed within the chosen time.
SELECT count() AS failed FROM backups WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND status <> 'ok'
