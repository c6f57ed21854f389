-- signal_order_flow_v1: go with takers who push one way for five minutes while the resting book leans that way too.
-- target = what both agree on: the smaller of order_flow_imbalance and book_imbalance where their signs agree, else 0.
-- target in [-1, 1], below 0 is short (spot: flat); confidence in [0, 1]: the larger of the two, or 0.
-- After Cont, Kukanov, Stoikov: The price impact of order book events (Journal of Financial Econometrics, 2014).
-- Entity: venue, symbol, minute (ts = start of the bar it rests on).
-- Inputs: order_flow_imbalance_v1, book_imbalance_v1.
-- Unit: share of the strategy's position, -1 to 1.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 5 bars. No row across a gap of trades, nor in a minute that a gap of books touches or that has no book.
-- Owner: research.
-- Checks: between -1 and 1 (fail).
CREATE OR REPLACE VIEW signal_order_flow_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now()
  SELECT f.ts, f.venue, f.symbol,
         CASE WHEN f.value * b.value > 0.0 THEN sign(f.value) * least(abs(f.value), abs(b.value)) ELSE 0.0
         END AS target,
         CASE WHEN f.value * b.value > 0.0 THEN greatest(abs(f.value), abs(b.value)) ELSE 0.0 END AS confidence,
         null::symbol AS model_version
  FROM order_flow_imbalance_v1 f
  JOIN book_imbalance_v1 b ON f.ts = b.ts AND f.venue = b.venue AND f.symbol = b.symbol
  WHERE f.value IS NOT NULL AND b.value IS NOT NULL
);

-- signal_order_flow: the version of signal_order_flow that new work should read.
CREATE OR REPLACE VIEW signal_order_flow AS (SELECT * FROM signal_order_flow_v1);
