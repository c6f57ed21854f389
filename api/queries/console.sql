-- book: the newest snapshot of a book; bids and asks are [prices, amounts], best first.
SELECT ts::long AS ts, venue, symbol, bids, asks
FROM books WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= dateadd('d', -1, now())
ORDER BY ts DESC LIMIT 1;

-- tape: the newest public trades of an instrument in the last day.
SELECT ts::long AS ts, venue, symbol, side, price, amount
FROM trades WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= dateadd('d', -1, now())
ORDER BY ts DESC LIMIT %(most)s;

-- prices: the newest quote of each instrument in the last day.
SELECT ts::long AS ts, venue, symbol, bid, ask
FROM (quotes WHERE ts >= dateadd('d', -1, now()) LATEST ON ts PARTITION BY venue, symbol)
ORDER BY venue, symbol LIMIT 200;
