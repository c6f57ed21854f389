-- newest_decisions: the newest decision of every strategy and symbol of an account.
SELECT ts::long AS ts_ns, strategy, symbol, action, reason, state, unit, observed, limit_value, client_order_id
FROM decisions WHERE account = %(account)s AND ts > %(since)s LATEST ON ts PARTITION BY strategy, symbol;

-- newest_state: what was said last about an account's trading, and by whom.
SELECT ts::long AS ts_ns, state, actor, reason FROM trading_state WHERE account = %(account)s ORDER BY ts DESC LIMIT 1;
