-- maintenance: every window as it was mirrored.
SELECT ts::long AS ts, state, who, seq, why, until::long AS until
FROM maintenance WHERE ts >= %(lo)s AND ts < %(hi)s LIMIT %(rows_max)s;
