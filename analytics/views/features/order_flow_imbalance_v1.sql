-- order_flow_imbalance_v1: who crossed the spread harder in five minutes: buyers only = 1, sellers only = -1.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: bars_1m_checked.
-- Unit: -1 to 1.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 5 bars, this one included. NULL across a gap, until the warm-up is whole, and when nobody traded in it.
-- Owner: research.
-- Checks: between -1 and 1 (fail); null share <= 0.2 (warn).
CREATE OR REPLACE VIEW order_flow_imbalance_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 4
  SELECT ts, venue, symbol,
         CASE WHEN known = 5 AND volume > 1e-9 THEN greatest(-1.0, least(1.0, 2.0 * buy_volume / volume - 1.0)) END AS value
  FROM (
    SELECT ts, venue, symbol,
           sum(buy_volume) OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 4 PRECEDING AND CURRENT ROW) AS buy_volume,
           sum(volume) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 4 PRECEDING AND CURRENT ROW) AS volume,
           count(volume) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 4 PRECEDING AND CURRENT ROW) AS known
    FROM bars_1m_checked
  ) WHERE ts >= @from AND ts <= @to
);

-- order_flow_imbalance: the version of order_flow_imbalance that new work should read.
CREATE OR REPLACE VIEW order_flow_imbalance AS (SELECT * FROM order_flow_imbalance_v1);
