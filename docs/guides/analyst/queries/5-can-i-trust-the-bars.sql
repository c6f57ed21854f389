-- Can I trust the bars? Ours against the venue's own candles, where both exist: rows here are differences.
SELECT b.ts, b.symbol, b.open, v.open AS venue_open, b.close, v.close AS venue_close, b.volume, v.volume AS venue_volume
FROM (SELECT * FROM bars_1m_checked WHERE status = 'traded' AND origin = 'trades') b
JOIN venue_bars_1m v ON b.ts = v.ts AND b.venue = v.venue AND b.symbol = v.symbol
WHERE b.open != v.open OR b.high != v.high OR b.low != v.low OR b.close != v.close OR abs(b.volume - v.volume) > 1e-9
