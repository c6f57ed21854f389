-- signal_pairs_v1: buy what became cheap against BTC in an hour and sell BTC for it, and the other way round.
-- z = (ratio - mean) / deviation of the last 60 values of ln(close / BTC's close), BTC in the same quote.
-- Cheap (1) from z <= -2 until z >= 0, dear (-1) from z >= 2 until z <= 0; a position ends 30 bars after the last bar
-- that called for it: that truncation is the definition, and a time stop. BTC's own target is minus the others' mean.
-- target in [-1, 1] (spot: below 0 is flat, so that one leg alone is held); confidence in [0, 1]: three deviations = 1.
-- After Gatev, Goetzmann, Rouwenhorst: Pairs trading (Review of Financial Studies, 2006).
-- Entity: venue, symbol, minute (ts = start of the bar it rests on).
-- Inputs: bars_1m_checked (BTC's too).
-- Unit: share of the strategy's position, -1 to 1.
-- Known after: the minute's end and the watermark behind it, of both.
-- Warm-up: 88 bars. No row across a gap of either, until the warm-up is whole, and where there is no pair.
-- Owner: research.
-- Checks: between -1 and 1 (fail).
CREATE OR REPLACE VIEW signal_pairs_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 88
  SELECT ts, venue, symbol, CASE WHEN is_leader THEN -others ELSE leg END AS target,
         CASE WHEN is_leader THEN abs(others) * others_sure ELSE abs(leg) * sure END AS confidence,
         null::symbol AS model_version
  FROM (
    SELECT ts, venue, symbol, is_leader, leg, sure,
           avg(leg) OVER (PARTITION BY venue, market, ts) AS others,
           avg(sure) OVER (PARTITION BY venue, market, ts) AS others_sure
    FROM (
      SELECT ts, venue, symbol, market, is_leader,
             CASE WHEN known = 30 THEN coalesce(long_leg, 0.0) + coalesce(short_leg, 0.0) END AS leg,
             CASE WHEN known = 30 THEN least(1.0, abs(z) / 3.0) END AS sure
      FROM (
        SELECT ts, venue, symbol, market, is_leader, z,
               last_value(CASE WHEN z <= -2.0 THEN 1.0 WHEN z >= 0.0 THEN 0.0 END) IGNORE NULLS OVER (
                 PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 29 PRECEDING AND CURRENT ROW) AS long_leg,
               last_value(CASE WHEN z >= 2.0 THEN -1.0 WHEN z <= 0.0 THEN 0.0 END) IGNORE NULLS OVER (
                 PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 29 PRECEDING AND CURRENT ROW) AS short_leg,
               count(z) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 29 PRECEDING AND CURRENT ROW) AS known
        FROM (
          SELECT ts, venue, symbol, market, is_leader,
                 CASE WHEN is_leader OR known < 60 THEN NULL
                      WHEN mean_square - mean * mean <= 1e-14 THEN 0.0
                      ELSE (x - mean) / sqrt(mean_square - mean * mean) END AS z
          FROM (
            SELECT ts, venue, symbol, market, is_leader, x,
                   avg(x) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS mean,
                   avg(x * x) OVER (
                     PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS mean_square,
                   count(x) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS known
            FROM (
              -- z is the same for ratios measured from any of them: measured from one that is near, squares keep digits
              SELECT ts, venue, symbol, market, is_leader, ratio - first_value(ratio) IGNORE NULLS OVER (
                       PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS x
              FROM (
                SELECT ts, venue, symbol, market, is_leader,
                       ln(close / max(CASE WHEN is_leader THEN close END) OVER (PARTITION BY venue, market, ts)) AS ratio
                FROM (
                  SELECT ts, venue, symbol, close, symbol LIKE 'BTC/%' AS is_leader,
                         substring(symbol, strpos(symbol, '/'), 40) AS market
                  FROM bars_1m_checked
                )
              )
            )
          )
        )
      )
    )
  ) WHERE ts >= @from AND ts <= @to AND (leg IS NOT NULL OR (is_leader AND others IS NOT NULL))
);

-- signal_pairs: the version of signal_pairs that new work should read.
CREATE OR REPLACE VIEW signal_pairs AS (SELECT * FROM signal_pairs_v1);
