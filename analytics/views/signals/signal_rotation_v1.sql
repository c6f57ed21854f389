-- signal_rotation_v1: hold what rose most in two hours, against the mean of its market: relative momentum.
-- strength = log return over 120 bars over that of a random walk of the same steps; the target is the strength less the
-- mean strength of all symbols of the venue in the same quote and settlement, cut to [-1, 1].
-- target in [-1, 1], below 0 is short (spot: flat); confidence in [0, 1]: the size of the target.
-- After Jegadeesh, Titman: Returns to buying winners and selling losers (Journal of Finance, 1993).
-- Entity: venue, symbol, minute (ts = start of the bar it rests on).
-- Inputs: bars_1m_checked (of all symbols of the market).
-- Unit: share of the strategy's position, -1 to 1.
-- Known after: the minute's end and the watermark behind it, of all symbols of the market.
-- Warm-up: 120 bars. No row across a gap, until the warm-up is whole, while a price stands still, or for one alone.
-- Owner: research.
-- Checks: between -1 and 1 (fail).
CREATE OR REPLACE VIEW signal_rotation_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 120
  SELECT ts, venue, symbol, greatest(-1.0, least(1.0, strength - mean)) AS target,
         least(1.0, abs(strength - mean)) AS confidence, null::symbol AS model_version
  FROM (
    SELECT ts, venue, symbol, strength,
           avg(strength) OVER (PARTITION BY venue, market, ts) AS mean,
           count(strength) OVER (PARTITION BY venue, market, ts) AS peers
    FROM (
      SELECT ts, venue, symbol, substring(symbol, strpos(symbol, '/'), 40) AS market,
             CASE WHEN known = 120 AND mean_square > 1e-18
                  THEN ln(close / close_120) / sqrt(mean_square * 120.0) END AS strength
      FROM (
        SELECT ts, venue, symbol, close,
               lag(close, 120) OVER (PARTITION BY venue, symbol ORDER BY ts) AS close_120,
               avg(change * change) OVER (
                 PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 119 PRECEDING AND CURRENT ROW) AS mean_square,
               count(change) OVER (
                 PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 119 PRECEDING AND CURRENT ROW) AS known
        FROM (
          SELECT ts, venue, symbol, close, ln(close / lag(close, 1) OVER (PARTITION BY venue, symbol ORDER BY ts)) AS change
          FROM bars_1m_checked
        )
      )
    )
  ) WHERE strength IS NOT NULL AND peers > 1 AND ts >= @from AND ts <= @to
);

-- signal_rotation: the version of signal_rotation that new work should read.
CREATE OR REPLACE VIEW signal_rotation AS (SELECT * FROM signal_rotation_v1);
