-- signal_carry_v1: be on the side that is paid for holding a perpetual: short while longs pay, long while shorts do.
-- target = -(rate less 0.0001 where it is dearer, plus 0.0001 where it is below its negative) / 0.0003, cut to [-1, 1];
-- between -0.0001 and 0.0001 a payment, the venues' usual interest, nothing is held.
-- target in [-1, 1]: longs only where the account cannot be short; confidence in [0, 1]: the size of the target.
-- After Koijen, Moskowitz, Pedersen, Vrugt: Carry (Journal of Financial Economics, 2018).
-- Entity: venue, symbol, minute (ts = start of the bar it rests on).
-- Inputs: funding_rate_v1.
-- Unit: share of the strategy's position, -1 to 1.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 120 bars, in one of which the venue told its rate. No row of spot, nor across a gap of funding.
-- Owner: research.
-- Checks: between -1 and 1 (fail).
CREATE OR REPLACE VIEW signal_carry_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now()
  SELECT ts, venue, symbol, wish AS target, abs(wish) AS confidence, null::symbol AS model_version
  FROM (
    SELECT ts, venue, symbol,
           greatest(-1.0, least(1.0, -sign(value) * greatest(0.0, abs(value) - 0.0001) / 0.0003)) AS wish
    FROM funding_rate_v1
    WHERE value IS NOT NULL
  )
);

-- signal_carry: the version of signal_carry that new work should read.
CREATE OR REPLACE VIEW signal_carry AS (SELECT * FROM signal_carry_v1);
