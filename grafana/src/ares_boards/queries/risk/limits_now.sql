-- The limits that draw the red lines of this board, one row; NULL: not limited. A loss is drawn below zero.
SELECT max(CASE WHEN name = 'gross_exposure_quote_max' THEN value END) AS gross_exposure,
       max(CASE WHEN name = 'daily_loss_quote_max' THEN -value END) AS daily_loss,
       max(CASE WHEN name = 'drawdown_max' THEN value END) AS drawdown
FROM limits_now WHERE account IN (${account:sqlstring})
