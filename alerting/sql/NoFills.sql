-- statement: orders that each account decided on within the last hour, if not one of its orders was filled meanwhile; else 0.
SELECT wanted.account AS account, CASE WHEN filled.fills IS NULL THEN wanted.orders ELSE 0 END::DOUBLE AS value
FROM (
  SELECT account, sum(CASE WHEN action IN ('buy', 'sell') THEN 1 ELSE 0 END) AS orders
  FROM decisions WHERE ts > dateadd('h', -1, now())
) wanted
LEFT JOIN (
  SELECT account, count() AS fills FROM fills WHERE ts > dateadd('h', -1, now())
) filled ON filled.account = wanted.account
