-- users_history: the history of users as it was mirrored.
SELECT ts::long AS ts, user, what, who, seq, detail
FROM users_history WHERE ts >= %(lo)s AND ts < %(hi)s LIMIT %(rows_max)s;
