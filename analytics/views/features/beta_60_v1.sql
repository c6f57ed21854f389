-- beta_60_v1: how strongly the price moved with BTC's in an hour; BTC's own is 1.
-- The slope of its one-minute log returns on BTC's.
-- BTC is that of the venue in the same quote and settlement.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: bars_1m_checked (BTC's too).
-- Unit: ratio (1 = as much as BTC).
-- Known after: the minute's end and the watermark behind it, of both.
-- Warm-up: 60 bars. NULL across a gap of either, until the warm-up is whole, without a BTC, and while BTC stood still.
-- Owner: research.
-- Checks: between -50 and 50 (warn).
CREATE OR REPLACE VIEW beta_60_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 60
  SELECT ts, venue, symbol,
         CASE WHEN known = 60 AND lead_square - lead_mean * lead_mean > 1e-18
              THEN (product - change_mean * lead_mean) / (lead_square - lead_mean * lead_mean) END AS value
  FROM (
    SELECT ts, venue, symbol,
           avg(change) OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS change_mean,
           avg(lead) OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS lead_mean,
           avg(change * lead) OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS product,
           avg(lead * lead) OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS lead_square,
           count(change * lead) OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS known
    FROM (
      SELECT ts, venue, symbol, ln(close / lag(close, 1) OVER (PARTITION BY venue, symbol ORDER BY ts)) AS change,
             ln(leader / lag(leader, 1) OVER (PARTITION BY venue, symbol ORDER BY ts)) AS lead
      FROM (
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

-- beta_60: the version of beta_60 that new work should read.
CREATE OR REPLACE VIEW beta_60 AS (SELECT * FROM beta_60_v1);
