-- time_of_day_cos_v1: where the minute stands in the UTC day, as the cosine of its angle: midnight UTC = 1, noon =
-- -1. With its twin it says the hour without a jump at midnight.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: bars_1m_checked.
-- Unit: -1 to 1.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: none. Never NULL: it needs only the minute itself.
-- Owner: research.
-- Checks: between -1 and 1 (fail); null share <= 0 (fail).
CREATE OR REPLACE VIEW time_of_day_cos_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now()
  SELECT ts, venue, symbol, cos(2.0 * pi() * (hour(ts) * 60 + minute(ts)) / 1440.0) AS value
  FROM bars_1m_checked
);

-- time_of_day_cos: the version of time_of_day_cos that new work should read.
CREATE OR REPLACE VIEW time_of_day_cos AS (SELECT * FROM time_of_day_cos_v1);
