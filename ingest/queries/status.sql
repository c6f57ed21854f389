-- What `ares ingest status` and `ares ingest gaps` show. One row per symbol where a symbol is involved.

-- trades: stored trades of every symbol: how many, how many in the last minute, how old the newest is.
SELECT symbol, count() AS trades_stored, sum(CASE WHEN ts > dateadd('m', -1, now()) THEN 1 ELSE 0 END) / 60.0 AS trades_per_s,
  datediff('T', max(ts), now()) AS trade_age_ms
FROM trades WHERE venue = %(venue)s AND ts > dateadd('d', -1, now()) GROUP BY symbol ORDER BY symbol;

-- latency: milliseconds from a streamed trade's event time to its receipt, over the last minute.
SELECT symbol, approx_percentile(greatest(0.0, (received_at::long - ts::long) / 1000000.0), 0.5) AS receipt_p50_ms
FROM trades WHERE venue = %(venue)s AND source = 'stream' AND ts > dateadd('m', -1, now()) GROUP BY symbol;

-- quotes: best bids and asks of every symbol over the last minute.
SELECT symbol, count() / 60.0 AS quotes_per_s FROM quotes
WHERE venue = %(venue)s AND ts > dateadd('m', -1, now()) GROUP BY symbol;

-- books: snapshots of every symbol over the last minute.
SELECT symbol, count() / 60.0 AS books_per_s FROM books
WHERE venue = %(venue)s AND ts > dateadd('m', -1, now()) GROUP BY symbol;

-- funding: the rate that each perpetual pays next, as the venue said last, and when.
SELECT symbol, rate AS funding_rate, datediff('s', now(), funding_at) AS funding_in_s
FROM funding WHERE venue = %(venue)s AND kind = 'predicted' AND ts > dateadd('d', -1, now()) LATEST ON ts PARTITION BY symbol;

-- trades_pace: age of the newest streamed trade by symbol; mean and longest interval of the last ten minutes.
SELECT n.symbol AS symbol, n.age_ms AS age_ms, p.usual_ms AS usual_ms, p.longest_ms AS longest_ms, p.steps AS steps
FROM (
  SELECT symbol, datediff('T', max(ts), now()) AS age_ms FROM trades
  WHERE venue = %(venue)s AND source = 'stream' AND ts > dateadd('d', -1, now()) GROUP BY symbol
) n LEFT JOIN (
  SELECT symbol, avg(step_ms) AS usual_ms, max(step_ms) AS longest_ms, count(step_ms) AS steps FROM (
    SELECT symbol, (ts::long - lag(ts::long) OVER (PARTITION BY symbol ORDER BY ts)) / 1000000.0 AS step_ms
    FROM trades WHERE venue = %(venue)s AND source = 'stream' AND ts > dateadd('m', -10, now())
  ) GROUP BY symbol
) p ON p.symbol = n.symbol;

-- quotes_pace: the same of quotes.
SELECT n.symbol AS symbol, n.age_ms AS age_ms, p.usual_ms AS usual_ms, p.longest_ms AS longest_ms, p.steps AS steps
FROM (
  SELECT symbol, datediff('T', max(ts), now()) AS age_ms FROM quotes
  WHERE venue = %(venue)s AND ts > dateadd('d', -1, now()) GROUP BY symbol
) n LEFT JOIN (
  SELECT symbol, avg(step_ms) AS usual_ms, max(step_ms) AS longest_ms, count(step_ms) AS steps FROM (
    SELECT symbol, (ts::long - lag(ts::long) OVER (PARTITION BY symbol ORDER BY ts)) / 1000000.0 AS step_ms
    FROM quotes WHERE venue = %(venue)s AND ts > dateadd('m', -10, now())
  ) GROUP BY symbol
) p ON p.symbol = n.symbol;

-- books_pace: the same of books, which are written at most every `ingest.book_s_min`.
SELECT n.symbol AS symbol, n.age_ms AS age_ms, p.usual_ms AS usual_ms, p.longest_ms AS longest_ms, p.steps AS steps
FROM (
  SELECT symbol, datediff('T', max(ts), now()) AS age_ms FROM books
  WHERE venue = %(venue)s AND ts > dateadd('d', -1, now()) GROUP BY symbol
) n LEFT JOIN (
  SELECT symbol, avg(step_ms) AS usual_ms, max(step_ms) AS longest_ms, count(step_ms) AS steps FROM (
    SELECT symbol, (ts::long - lag(ts::long) OVER (PARTITION BY symbol ORDER BY ts)) / 1000000.0 AS step_ms
    FROM books WHERE venue = %(venue)s AND ts > dateadd('m', -10, now())
  ) GROUP BY symbol
) p ON p.symbol = n.symbol;

-- watermarks: how far behind now everything is acknowledged, by symbol, and the newest acknowledged id.
SELECT symbol, datediff('T', watermark, now()) AS watermark_age_ms, last_seq
FROM ingest_watermarks WHERE venue = %(venue)s AND channel = 'trades' LATEST ON ts PARTITION BY symbol;

-- gap_counts: gaps of every symbol that are open, and those that will never be filled.
SELECT symbol, sum(CASE WHEN status = 'open' THEN 1 ELSE 0 END) AS gaps_open,
  sum(CASE WHEN status = 'lost' AND channel = 'trades' THEN 1 ELSE 0 END) AS trade_gaps_lost
FROM (SELECT symbol, status, channel FROM gaps WHERE venue = %(venue)s LATEST ON ts PARTITION BY gap_id) GROUP BY symbol;

-- quarantined: refused frames of the last hour, by symbol where it is known.
SELECT symbol, count() AS quarantined_1h FROM quarantine
WHERE venue = %(venue)s AND ts > dateadd('h', -1, now()) GROUP BY symbol;

-- gaps: the state of the newest gaps, newest first.
SELECT ts, symbol, channel, status, cause, healed_by, started_at, ended_at, first_seq, last_seq, missing, gap_id
FROM (SELECT * FROM gaps WHERE venue = %(venue)s LATEST ON ts PARTITION BY gap_id)
WHERE (%(status)s = 'all' OR status = %(status)s) ORDER BY ts DESC LIMIT %(rows_max)s;
