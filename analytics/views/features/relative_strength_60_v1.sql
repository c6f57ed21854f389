-- relative_strength_60_v1: how much further the price rose in an hour than BTC's did; BTC's own is 0.
-- BTC is that of the venue in the same quote and settlement.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: bars_1m_checked (BTC's too).
-- Unit: log return (0.01 = about 1 %).
-- Known after: the minute's end and the watermark behind it, of both.
-- Warm-up: 60 bars. NULL across a gap of either, until the warm-up is whole, and where the venue has no BTC.
-- Owner: research.
-- Checks: between -1 and 1 (warn).
CREATE OR REPLACE VIEW relative_strength_60_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 60
  SELECT ts, venue, symbol, CASE WHEN known = 61 THEN ln(ratio / ratio_60) END AS value FROM (
    SELECT ts, venue, symbol, ratio, lag(ratio, 60) OVER (PARTITION BY venue, symbol ORDER BY ts) AS ratio_60,
           count(ratio) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 60 PRECEDING AND CURRENT ROW) AS known
    FROM (
      SELECT ts, venue, symbol, close / leader AS ratio FROM (
        SELECT ts, venue, symbol, close, max(CASE WHEN symbol LIKE 'BTC/%' THEN close END) OVER (
                 PARTITION BY venue, market, ts) AS leader
        FROM (
          SELECT ts, venue, symbol, close, substring(symbol, strpos(symbol, '/'), 40) AS market
          FROM bars_1m_checked
        )
      )
    )
  ) WHERE ts >= @from AND ts <= @to
);

-- relative_strength_60: the version of relative_strength_60 that new work should read.
CREATE OR REPLACE VIEW relative_strength_60 AS (SELECT * FROM relative_strength_60_v1);
