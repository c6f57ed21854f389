-- What does holding a perpetual cost? What was paid in the last 30 days, in per cent of the position; above 0 longs paid shorts.
SELECT venue, symbol, count() AS payments, sum(rate) * 100 AS paid_percent, min(rate) * 100 AS lowest_percent, max(rate) * 100 AS highest_percent
FROM funding WHERE kind = 'settled' AND ts > dateadd('d', -30, now())
ORDER BY paid_percent DESC
