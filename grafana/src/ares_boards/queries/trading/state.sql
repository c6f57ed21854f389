-- Whether the account may trade: ACTIVE, REDUCING or HALTED.
SELECT account, state FROM trading_state WHERE account IN (${account:sqlstring}) LATEST ON ts PARTITION BY account
