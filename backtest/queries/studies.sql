-- wishes: what a strategy's view says over a span, with parameters of its own. `this_view` is replaced by the view's
-- name, `these_parameters` by its parameters with their values.
DECLARE @from := %(from)s, @to := %(to)s, these_parameters
SELECT ts, symbol, target FROM this_view WHERE venue = %(venue)s AND ts >= %(from)s AND ts < %(to)s ORDER BY ts;
