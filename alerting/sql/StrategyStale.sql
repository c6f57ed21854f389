-- statement: seconds since each strategy last said what it wants, by symbol. Expected is who said something within
-- two days; one that is not heard for six hours counts as six hours silent.
SELECT expected.strategy AS strategy, expected.symbol AS symbol,
       coalesce(datediff('s', heard.newest, now()), 21600)::DOUBLE AS value
FROM (
  SELECT DISTINCT strategy, symbol FROM signal_values WHERE ts > dateadd('d', -2, now()) AND known_at_kind = 'live'
) expected
LEFT JOIN (
  SELECT strategy, symbol, max(known_at) AS newest
  FROM signal_values WHERE ts > dateadd('h', -6, now()) AND known_at_kind = 'live'
) heard ON heard.strategy = expected.strategy AND heard.symbol = expected.symbol
