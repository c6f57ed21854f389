-- What a fetch of a range of the past asks of what is stored. All times come as nanoseconds.

-- islands: ranges of ids without a hole that are stored between two times, and their times; %(to)s is exclusive.
SELECT min(seq) AS first_seq, max(seq) AS last_seq, min(ts)::long AS first_ns, max(ts)::long AS last_ns FROM (
  SELECT seq, ts, seq - row_number() OVER (ORDER BY seq) AS island FROM trades
  WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(from)s AND ts < %(to)s
    AND seq >= %(first)s AND seq <= %(last)s
) GROUP BY island ORDER BY first_seq;

-- islands_archived: the same of the archive.
SELECT min(seq) AS first_seq, max(seq) AS last_seq, min(ts)::long AS first_ns, max(ts)::long AS last_ns FROM (
  SELECT seq, ts, seq - row_number() OVER (ORDER BY seq) AS island FROM trades_archive
  WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(from)s AND ts < %(to)s
    AND seq >= %(first)s AND seq <= %(last)s
) GROUP BY island ORDER BY first_seq;

-- extent: between which times anything is stored of a symbol, here and in the archive; NULL: nothing is.
SELECT min(first_ns) AS first_ns, max(last_ns) AS last_ns FROM (
  SELECT min(ts)::long AS first_ns, max(ts)::long AS last_ns FROM trades
  WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(from)s AND ts < %(to)s
  UNION ALL
  SELECT min(ts)::long AS first_ns, max(ts)::long AS last_ns FROM trades_archive
  WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(from)s AND ts < %(to)s
);

-- bars: how many of the venue's candles are stored that start between two times; %(to)s is exclusive.
SELECT count() AS bars FROM venue_bars_1m
WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(from)s AND ts < %(to)s;

-- unfilled: the newest revision of every gap of trades that has an end and is not healed.
SELECT symbol, channel, status, cause, gap_id, revision, started_at::long AS started_ns, ended_at::long AS ended_ns,
  first_seq, last_seq
FROM (SELECT * FROM gaps WHERE venue = %(venue)s AND channel = 'trades' LATEST ON ts PARTITION BY gap_id)
WHERE status <> 'healed' AND last_seq IS NOT NULL ORDER BY started_ns LIMIT %(gaps_max)s;

-- gap: the newest revision of one gap.
SELECT symbol, channel, status, cause, gap_id, revision, started_at::long AS started_ns, ended_at::long AS ended_ns,
  first_seq, last_seq
FROM (SELECT * FROM gaps WHERE venue = %(venue)s AND gap_id = %(gap_id)s LATEST ON ts PARTITION BY gap_id);
