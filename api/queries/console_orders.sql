-- standing: every order that may still be executed, however old, newest first.
SELECT ts::long AS ts, account, venue, symbol, strategy, event, state, side, type, time_in_force, order_id, quantity, price,
       filled_quantity, stop_price, trailing_bips
FROM orders WHERE state IN ('INTENDED', 'SUBMITTED', 'ACCEPTED', 'PARTIALLY_FILLED', 'UNKNOWN')
  AND (%(accounts)s = '' OR account ~ %(accounts)s) AND (%(strategies)s = '' OR strategy ~ %(strategies)s)
ORDER BY ts DESC, account, order_id LIMIT 1000;
