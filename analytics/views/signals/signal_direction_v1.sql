-- signal_direction_v1: what the model "direction" expects of the next minutes: its probability of a rise,
-- stretched. target in [-1, 1]: a probability of 0.6 is full long, 0.4 full short (spot: flat); confidence in [0,
-- 1] = twice the distance from 0.5; model_version = who said so. Of all versions that scored a bar only what was
-- served is read: challengers are not. Where several were, one after another, the first that scored it live counts,
-- else the first that did. A NULL role is from before there were roles.
-- Entity: venue, symbol, minute (ts = start of the bar it rests on).
-- Inputs: predictions.
-- Unit: share of the largest position.
-- Known after: the prediction's known_at.
-- Warm-up: none of its own; no row without a prediction.
-- Owner: research.
-- Checks: between -1 and 1 (fail).
CREATE OR REPLACE VIEW signal_direction_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now()
  SELECT ts, venue, symbol,
         greatest(-1.0, least(1.0, (score - 0.5) * 10.0)) AS target,
         abs(score - 0.5) * 2.0 AS confidence,
         model_version
  FROM (
    SELECT ts, venue, symbol, score, model_version,
           row_number() OVER (PARTITION BY ts, venue, symbol ORDER BY rebuilt, known_at, model_version) AS rank
    FROM (
      SELECT ts, venue, symbol, score, version AS model_version, known_at,
             CASE known_at_kind WHEN 'live' THEN 0 ELSE 1 END AS rebuilt
      FROM predictions
      WHERE model = 'direction' AND score IS NOT NULL AND (served OR role IS NULL) AND ts >= @from AND ts <= @to
    )
  ) WHERE rank = 1
);

-- signal_direction: the version of signal_direction that new work should read.
CREATE OR REPLACE VIEW signal_direction AS (SELECT * FROM signal_direction_v1);
