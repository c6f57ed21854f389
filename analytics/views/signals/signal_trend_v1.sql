-- signal_trend_v1: go with the price's own move over half an hour, an hour and two hours, in units of volatility.
-- Each move is its log return over that of a random walk of the same steps, cut to [-1, 1]; the target is their mean.
-- After Moskowitz, Ooi, Pedersen: Time series momentum (Journal of Financial Economics, 2012).
-- target in [-1, 1], below 0 is short (spot: flat); confidence in [0, 1]: the share of the three that agree, net.
-- Entity: venue, symbol, minute (ts = start of the bar it rests on).
-- Inputs: bars_1m_checked.
-- Unit: share of the strategy's position, -1 to 1.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 120 bars. No row across a gap, until the warm-up is whole, and while the price stands still.
-- Owner: research.
-- Checks: between -1 and 1 (fail).
CREATE OR REPLACE VIEW signal_trend_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 120
  SELECT ts, venue, symbol, (half_hour + hour + two_hours) / 3.0 AS target,
         abs(sign(half_hour) + sign(hour) + sign(two_hours)) / 3.0 AS confidence, null::symbol AS model_version
  FROM (
    SELECT ts, venue, symbol,
           greatest(-1.0, least(1.0, ln(close / close_30) / (volatility * sqrt(30.0)))) AS half_hour,
           greatest(-1.0, least(1.0, ln(close / close_60) / (volatility * sqrt(60.0)))) AS hour,
           greatest(-1.0, least(1.0, ln(close / close_120) / (volatility * sqrt(120.0)))) AS two_hours
    FROM (
      SELECT ts, venue, symbol, close,
             lag(close, 30) OVER (PARTITION BY venue, symbol ORDER BY ts) AS close_30,
             lag(close, 60) OVER (PARTITION BY venue, symbol ORDER BY ts) AS close_60,
             lag(close, 120) OVER (PARTITION BY venue, symbol ORDER BY ts) AS close_120,
             sqrt(greatest(0.0, avg(change * change) OVER (
               PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 119 PRECEDING AND CURRENT ROW))) AS volatility,
             count(change) OVER (
               PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 119 PRECEDING AND CURRENT ROW) AS known
      FROM (
        SELECT ts, venue, symbol, close, ln(close / lag(close, 1) OVER (PARTITION BY venue, symbol ORDER BY ts)) AS change
        FROM bars_1m_checked
      )
    ) WHERE known = 120 AND volatility > 1e-9
  ) WHERE ts >= @from AND ts <= @to
);

-- signal_trend: the version of signal_trend that new work should read.
CREATE OR REPLACE VIEW signal_trend AS (SELECT * FROM signal_trend_v1);
