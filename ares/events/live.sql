-- events: the log as it was mirrored.
SELECT ts::long AS ts, category, type, stream, seq, position, version, correlation_id, causation_id, attributes, payload
FROM events WHERE ts >= %(lo)s AND ts < %(hi)s LIMIT %(rows_max)s;
