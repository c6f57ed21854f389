-- signal_momentum_v1: go with a straight move (momentum_15) that the trend confirms (ema_cross in units of
-- volatility). target in [-1, 1], below 0 is short (spot: flat); confidence in [0, 1]: the size of the target,
-- halved where move and trend disagree.
-- Entity: venue, symbol, minute (ts = start of the bar it rests on).
-- Inputs: momentum_15_v1, ema_cross_v1, realised_volatility_30_v1.
-- Unit: share of the largest position.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: none of its own; no row where an input is NULL.
-- Owner: research.
-- Checks: between -1 and 1 (fail).
CREATE OR REPLACE VIEW signal_momentum_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now()
  SELECT ts, venue, symbol, wish AS target,
         abs(wish) * CASE WHEN move * trend > 0 THEN 1.0 ELSE 0.5 END AS confidence,
         null::symbol AS model_version
  FROM (
    SELECT ts, venue, symbol, move, trend, greatest(-1.0, least(1.0, 0.5 * move + 0.5 * trend)) AS wish
    FROM (
      SELECT m.ts, m.venue, m.symbol, m.value / 2.0 AS move, greatest(-1.0, least(1.0, e.value / v.value)) AS trend
      FROM momentum_15_v1 m
      JOIN ema_cross_v1 e ON m.ts = e.ts AND m.venue = e.venue AND m.symbol = e.symbol
      JOIN realised_volatility_30_v1 v ON m.ts = v.ts AND m.venue = v.venue AND m.symbol = v.symbol
      WHERE m.value IS NOT NULL AND e.value IS NOT NULL AND v.value > 1e-12
    )
  )
);

-- signal_momentum: the version of signal_momentum that new work should read.
CREATE OR REPLACE VIEW signal_momentum AS (SELECT * FROM signal_momentum_v1);
