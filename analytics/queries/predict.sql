-- newest: the features of a symbol's bars of the last minutes, the newest frozen revision of each.
DECLARE @t := '2200-01-01T00:00:00Z', @from := dateadd('m', -10, now()), @to := now()
SELECT ts::long AS ts_ns, name, version AS number, value FROM features_asof
WHERE venue = %(venue)s AND symbol = %(symbol)s;
