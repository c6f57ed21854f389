-- vwap_deviation_v1: the close against the average price paid in the hour (volume-weighted): above 0 is dear.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: bars_1m_checked.
-- Unit: ratio.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 60 bars, this one included. NULL across a gap, until the warm-up is whole, and when nobody traded in it.
-- Owner: research.
-- Checks: between -0.9 and 9 (fail); null share <= 0.2 (warn).
CREATE OR REPLACE VIEW vwap_deviation_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 59
  SELECT ts, venue, symbol, CASE WHEN known = 60 AND volume > 1e-9 THEN close / (cost / volume) - 1.0 END AS value FROM (
    SELECT ts, venue, symbol, close,
           sum(cost) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS cost,
           sum(volume) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS volume,
           count(close) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS known
    FROM bars_1m_checked
  ) WHERE ts >= @from AND ts <= @to
);

-- vwap_deviation: the version of vwap_deviation that new work should read.
CREATE OR REPLACE VIEW vwap_deviation AS (SELECT * FROM vwap_deviation_v1);
