-- Graded checks of stored data. Each reads a bounded span, %(from)s <= ts < %(to)s, of one venue and symbol, and answers
-- one row a channel: what was observed (NULL: nothing to judge) and of how many rows. Limits are not here, see `[quality]`.

-- bars_differ: closed minutes whose bar is not the venue's candle; those touched by a gap, and our first, are left out.
-- The venue may count single trades where its stream joins them, so fewer trades than the candle's are no difference.
WITH holes AS (
  SELECT started_at, ended_at FROM (
    SELECT * FROM gaps WHERE venue = %(venue)s AND symbol = %(symbol)s AND channel = 'trades' LATEST ON ts PARTITION BY gap_id
  ) WHERE status <> 'healed'
), minutes AS (
  SELECT o.ts, o.open, o.high, o.low, o.close, o.volume, o.trades, v.open AS v_open, v.high AS v_high, v.low AS v_low,
    v.close AS v_close, v.volume AS v_volume, v.trades AS v_trades
  FROM (SELECT * FROM bars_1m WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(from)s AND ts < %(bars_to)s) o
  JOIN (SELECT * FROM venue_bars_1m WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(from)s AND ts < %(bars_to)s) v
    ON o.ts = v.ts
  CROSS JOIN (SELECT min(first_ts) AS first_own FROM bar_days WHERE venue = %(venue)s AND symbol = %(symbol)s) f
  WHERE o.ts > f.first_own
), judged AS (
  SELECT m.ts, count(h.started_at) AS touched, max(CASE WHEN
      abs(m.open - m.v_open) > 1e-9 * m.v_open OR abs(m.high - m.v_high) > 1e-9 * m.v_high
      OR abs(m.low - m.v_low) > 1e-9 * m.v_low OR abs(m.close - m.v_close) > 1e-9 * m.v_close
      OR abs(m.volume - m.v_volume) > 1e-6 * greatest(m.volume, m.v_volume) OR m.trades > m.v_trades
    THEN 1 ELSE 0 END) AS differs
  FROM minutes m LEFT JOIN holes h
    ON h.started_at < dateadd('m', 1, m.ts) AND (h.ended_at IS NULL OR h.ended_at >= m.ts)
  GROUP BY m.ts
)
SELECT 'bars' AS channel, sum(differs)::double AS observed, count() AS judged FROM judged WHERE touched = 0;

-- bars_unmatched: closed minutes that only we or only the venue saw trades in; gaps and our first minute left out.
WITH holes AS (
  SELECT started_at, ended_at FROM (
    SELECT * FROM gaps WHERE venue = %(venue)s AND symbol = %(symbol)s AND channel = 'trades' LATEST ON ts PARTITION BY gap_id
  ) WHERE status <> 'healed'
), minutes AS (
  SELECT s.ts, sum(s.ours) AS ours, sum(s.theirs) AS theirs FROM (
    SELECT ts, 1 AS ours, 0 AS theirs FROM bars_1m
    WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(from)s AND ts < %(bars_to)s
    UNION ALL
    SELECT ts, 0, 1 FROM venue_bars_1m
    WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(from)s AND ts < %(bars_to)s AND trades > 0
  ) s CROSS JOIN (SELECT min(first_ts) AS first_own FROM bar_days WHERE venue = %(venue)s AND symbol = %(symbol)s) f
  WHERE s.ts > f.first_own GROUP BY s.ts
), judged AS (
  SELECT m.ts, count(h.started_at) AS touched, max(CASE WHEN m.ours = m.theirs THEN 0 ELSE 1 END) AS alone
  FROM minutes m LEFT JOIN holes h
    ON h.started_at < dateadd('m', 1, m.ts) AND (h.ended_at IS NULL OR h.ended_at >= m.ts)
  GROUP BY m.ts
)
SELECT 'bars' AS channel, sum(alone)::double AS observed, count() AS judged FROM judged WHERE touched = 0;

-- impossible_values: rows whose price or amount is missing (NaN is stored as NULL), zero or negative, or bid not below ask.
SELECT 'trades' AS channel, sum(CASE WHEN price > 0 AND amount > 0 THEN 0 ELSE 1 END)::double AS observed, count() AS judged
FROM trades WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(from)s AND ts < %(to)s
UNION ALL
SELECT 'quotes', sum(CASE WHEN bid > 0 AND bid_amount > 0 AND ask_amount > 0 AND ask > bid THEN 0 ELSE 1 END)::double, count()
FROM quotes WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(from)s AND ts < %(to)s;

-- off_tick: trades whose price is no multiple of the tick that was known then; a ten-thousandth of a tick is rounding.
SELECT 'trades' AS channel,
  sum(CASE WHEN abs(t.price / i.tick - round(t.price / i.tick, 0)) > 0.0001 THEN 1 ELSE 0 END)::double AS observed, count() AS judged
FROM (SELECT ts, price FROM trades WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(from)s AND ts < %(to)s) t
ASOF JOIN (
  SELECT ts, price_tick::double AS tick FROM instruments WHERE venue = %(venue)s AND symbol = %(symbol)s
) i WHERE i.tick > 0;

-- off_step: trades whose amount is no multiple of the step that was known then.
SELECT 'trades' AS channel,
  sum(CASE WHEN abs(t.amount / i.step - round(t.amount / i.step, 0)) > 0.0001 THEN 1 ELSE 0 END)::double AS observed, count() AS judged
FROM (SELECT ts, amount FROM trades WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(from)s AND ts < %(to)s) t
ASOF JOIN (
  SELECT ts, amount_step::double AS step FROM instruments WHERE venue = %(venue)s AND symbol = %(symbol)s
) i WHERE i.step > 0;

-- price_jump: largest ratio of a trade's price to the one before it, by id.
SELECT 'trades' AS channel, max(greatest(price / before, before / price)) AS observed, count() AS judged FROM (
  SELECT price, lag(price) OVER (ORDER BY seq) AS before FROM trades
  WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(from)s AND ts < %(to)s AND price > 0
) WHERE before > 0;

-- clock_ahead: by how many milliseconds the venue's time was ahead of our receipt at worst; below zero: behind, as it should be.
SELECT 'trades' AS channel, max((ts::long - received_at::long) / 1000000.0) AS observed, count() AS judged
FROM trades WHERE venue = %(venue)s AND symbol = %(symbol)s AND source = 'stream' AND ts >= %(from)s AND ts < %(to)s
UNION ALL
SELECT 'quotes', max((ts::long - received_at::long) / 1000000.0), count()
FROM quotes WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts_source = 'venue' AND ts >= %(from)s AND ts < %(to)s;

-- latency: median milliseconds from a streamed trade's event time to its receipt.
SELECT 'trades' AS channel, approx_percentile(greatest(0.0, (received_at::long - ts::long) / 1000000.0), 0.5) AS observed, count() AS judged
FROM trades WHERE venue = %(venue)s AND symbol = %(symbol)s AND source = 'stream' AND ts >= %(from)s AND ts < %(to)s;

-- duplicates: rows beyond the first of a trade id: the same id with another time, which the store cannot recognise.
SELECT 'trades' AS channel, sum(copies - 1)::double AS observed, sum(copies) AS judged FROM (
  SELECT trade_id, count() AS copies FROM trades
  WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(from)s AND ts < %(to)s GROUP BY trade_id
);

-- out_of_order: trades whose time lies before that of the id before them.
SELECT 'trades' AS channel, sum(CASE WHEN ts_ns < before_ns THEN 1 ELSE 0 END)::double AS observed, count() AS judged FROM (
  SELECT ts::long AS ts_ns, lag(ts::long) OVER (ORDER BY seq) AS before_ns FROM trades
  WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(from)s AND ts < %(to)s
);

-- missing_ids: ids between stored trades that are not stored, and that no gap touches; derived ids (from 2^62 on) count nothing.
WITH numbered AS (
  SELECT seq, lag(seq) OVER (ORDER BY seq) AS before FROM trades
  WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(from)s AND ts < %(to)s AND seq < 4611686018427387904
), holes AS (
  SELECT before + 1 AS first_seq, seq - 1 AS last_seq FROM numbered WHERE before IS NOT NULL AND seq > before + 1
), known AS (
  SELECT first_seq, coalesce(last_seq, 9223372036854775807) AS last_seq FROM (
    SELECT * FROM gaps WHERE venue = %(venue)s AND symbol = %(symbol)s AND channel = 'trades' LATEST ON ts PARTITION BY gap_id
  ) WHERE status <> 'healed' AND first_seq IS NOT NULL
), unknown AS (
  SELECT h.first_seq, h.last_seq, count(k.first_seq) AS touched
  FROM holes h LEFT JOIN known k ON h.first_seq <= k.last_seq AND h.last_seq >= k.first_seq
  GROUP BY h.first_seq, h.last_seq
)
SELECT 'trades' AS channel, coalesce(u.missing, 0)::double AS observed, n.judged
FROM (SELECT count() AS judged FROM numbered) n
CROSS JOIN (SELECT sum(last_seq - first_seq + 1) AS missing FROM unknown WHERE touched = 0) u;

-- stale: age of a channel's newest row in its typical intervals (never shorter than a second); no row: NULL and 0 judged.
-- A trade may be rare, so its rate is that of a day; quotes and books change all the time. A funding rate is written when it
-- changes and about once a minute while it does not, so a minute is its shortest interval.
SELECT 'trades' AS channel, (%(now_ns)s - max(ts)::long) / greatest(1e9, (%(now_ns)s - min(ts)::long) / count()::double) AS observed,
  count() AS judged FROM trades WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(day_from)s
UNION ALL
SELECT 'quotes', (%(now_ns)s - max(ts)::long) / greatest(1e9, (%(now_ns)s - min(ts)::long) / count()::double), count()
FROM quotes WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(from)s
UNION ALL
SELECT 'books', (%(now_ns)s - max(ts)::long) / greatest(1e9, (%(now_ns)s - min(ts)::long) / count()::double), count()
FROM books WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts >= %(from)s
UNION ALL
SELECT 'funding', (%(now_ns)s - max(ts)::long) / greatest(60e9, (max(ts)::long - min(ts)::long) / greatest(1.0, count()::double - 1)), count()
FROM funding WHERE venue = %(venue)s AND symbol = %(symbol)s AND kind = 'predicted' AND ts >= %(day_from)s;

-- gaps_open: seconds since the oldest open gap of trades, or of funding rates, began; 0 if none is open.
SELECT 'trades' AS channel, coalesce((%(now_ns)s - min(started_at)::long) / 1000000000.0, 0.0) AS observed, count() AS judged FROM (
  SELECT * FROM gaps WHERE venue = %(venue)s AND symbol = %(symbol)s AND channel = 'trades' LATEST ON ts PARTITION BY gap_id
) WHERE status = 'open'
UNION ALL
SELECT 'funding', coalesce((%(now_ns)s - min(started_at)::long) / 1000000000.0, 0.0), count() FROM (
  SELECT * FROM gaps WHERE venue = %(venue)s AND symbol = %(symbol)s AND channel = 'funding' LATEST ON ts PARTITION BY gap_id
) WHERE status = 'open';

-- gaps_lost: trades that were given up in the span: the venue no longer has them. Where ids do not say how many: one a gap.
SELECT 'trades' AS channel, coalesce(sum(coalesce(missing, 1)), 0)::double AS observed, count() AS judged FROM (
  SELECT * FROM gaps WHERE venue = %(venue)s AND symbol = %(symbol)s AND channel = 'trades' LATEST ON ts PARTITION BY gap_id
) WHERE status = 'lost' AND ts >= %(from)s;

-- quarantined: frames and rows refused at the door in the span; symbol '' stands for those whose symbol is not known.
SELECT 'all' AS channel, count()::double AS observed, count() AS judged FROM quarantine
WHERE venue = %(venue)s AND coalesce(symbol, '') = %(symbol)s AND ts >= %(from)s AND ts < %(to)s;
