-- signal_volatility_target_v1: always long, with so much that the position moves by 40 % a year: less when it is wild.
-- target = 0.4 / (root mean square of the last 119 one-minute log returns * sqrt(525600 minutes a year)), at most 1.
-- target in (0, 1]; confidence is 1: it says how much, not whether.
-- After Moreira, Muir: Volatility-managed portfolios (Journal of Finance, 2017).
-- Entity: venue, symbol, minute (ts = start of the bar it rests on).
-- Inputs: bars_1m_checked.
-- Unit: share of the strategy's position, 0 to 1.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 119 bars. No row across a gap and until the warm-up is whole; while the price stands still the target is 1.
-- Owner: research.
-- Checks: between 0 and 1 (fail).
CREATE OR REPLACE VIEW signal_volatility_target_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 119
  SELECT ts, venue, symbol, 0.4 / greatest(0.4, sqrt(greatest(0.0, mean_square) * 525600.0)) AS target,
         1.0 AS confidence, null::symbol AS model_version
  FROM (
    SELECT ts, venue, symbol,
           avg(change * change) OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 118 PRECEDING AND CURRENT ROW) AS mean_square,
           count(change) OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 118 PRECEDING AND CURRENT ROW) AS known
    FROM (
      SELECT ts, venue, symbol, ln(close / lag(close, 1) OVER (PARTITION BY venue, symbol ORDER BY ts)) AS change
      FROM bars_1m_checked
    )
  ) WHERE known = 119 AND ts >= @from AND ts <= @to
);

-- signal_volatility_target: the version of signal_volatility_target that new work should read.
CREATE OR REPLACE VIEW signal_volatility_target AS (SELECT * FROM signal_volatility_target_v1);
