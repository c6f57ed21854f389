-- correlation_60_v1: how alike the price and BTC's moved in an hour: 1 = together, -1 = against each other.
-- Of the one-minute log returns (Pearson).
-- BTC is that of the venue in the same quote and settlement.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: bars_1m_checked (BTC's too).
-- Unit: -1 to 1.
-- Known after: the minute's end and the watermark behind it, of both.
-- Warm-up: 60 bars. NULL across a gap of either, until the warm-up is whole, without a BTC, and while one stood still.
-- Owner: research.
-- Checks: between -1 and 1 (fail).
CREATE OR REPLACE VIEW correlation_60_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 60
  SELECT ts, venue, symbol,
         CASE WHEN known = 60 AND change_variance > 1e-18 AND lead_variance > 1e-18
              THEN greatest(-1.0, least(1.0, covariance / sqrt(change_variance * lead_variance))) END AS value
  FROM (
    SELECT ts, venue, symbol, known, product - change_mean * lead_mean AS covariance,
           change_square - change_mean * change_mean AS change_variance,
           lead_square - lead_mean * lead_mean AS lead_variance
    FROM (
      SELECT ts, venue, symbol,
             avg(change) OVER (
               PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS change_mean,
             avg(lead) OVER (
               PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS lead_mean,
             avg(change * lead) OVER (
               PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS product,
             avg(change * change) OVER (
               PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS change_square,
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
    )
  ) WHERE ts >= @from AND ts <= @to
);

-- correlation_60: the version of correlation_60 that new work should read.
CREATE OR REPLACE VIEW correlation_60 AS (SELECT * FROM correlation_60_v1);
