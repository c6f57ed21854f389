-- The accounts that ever had a trading state; 'none' where nothing has traded yet.
SELECT DISTINCT account FROM trading_state WHERE account IS NOT NULL
UNION ALL
SELECT 'none' AS account FROM (SELECT count() AS known FROM trading_state) WHERE known = 0
