-- live: the decisions of an account on the signals of a strategy, over a span of time.
-- (`version` is qualified: QuestDB takes the bare word for its version() function.)
SELECT d.ts::long AS ts_ns, d.symbol, d.signal_ts::long AS signal_ts_ns, d.signal_known_at::long AS known_at_ns, d.action,
  d.reason, d.state, d.rule, d.target, d.mark, d.order_quantity
FROM decisions d
WHERE d.ts >= %(from)s AND d.ts < %(to)s AND d.account = %(account)s AND d.venue = %(venue)s
  AND d.strategy = %(strategy)s AND d.version = %(version)s AND d.signal_ts IS NOT NULL
ORDER BY d.ts;

-- strategies: whose decisions there are, and on how many symbols.
SELECT DISTINCT d.strategy, d.version, d.symbol FROM decisions d
WHERE d.ts >= %(from)s AND d.ts < %(to)s AND d.account = %(account)s AND d.venue = %(venue)s AND d.signal_ts IS NOT NULL
ORDER BY d.strategy, d.version, d.symbol;

-- cash: what the account had to spend when the day began; of a first day the first that is known.
SELECT cash FROM (
  (SELECT ts, cash, 0 AS place FROM equity WHERE account = %(account)s AND quote_currency = %(currency)s
     AND ts < %(from)s ORDER BY ts DESC LIMIT 1)
  UNION ALL
  (SELECT ts, cash, 1 AS place FROM equity WHERE account = %(account)s AND quote_currency = %(currency)s
     AND ts >= %(from)s AND ts < %(to)s ORDER BY ts LIMIT 1)
) ORDER BY place LIMIT 1;

-- holdings: what a strategy held when the day began.
SELECT symbol, quantity FROM position_events
WHERE account = %(account)s AND venue = %(venue)s AND strategy = %(strategy)s AND ts < %(from)s
LATEST ON ts PARTITION BY symbol;

-- state: the trading state when the day began.
SELECT state FROM trading_state WHERE account = %(account)s AND ts < %(from)s ORDER BY ts DESC LIMIT 1;

-- simulated: signals of which every revision was made up from history.
SELECT symbol, ts::long AS signal_ts_ns FROM (
  SELECT s.symbol, s.ts, sum(CASE WHEN s.known_at_kind = 'simulated' THEN 0 ELSE 1 END) AS seen FROM signal_values s
  WHERE s.ts >= dateadd('d', -1, %(from)s) AND s.ts < %(to)s AND s.venue = %(venue)s AND s.strategy = %(strategy)s
    AND s.version = %(version)s
  GROUP BY s.symbol, s.ts
) WHERE seen = 0;

-- heartbeats: when a trader was at work, and which.
SELECT ts::long AS ts_ns, instance, pid, state FROM services
WHERE ts >= %(from)s AND ts < %(to)s AND service = 'trader' ORDER BY ts;

-- by_hand: what people had the trader do that changes what is held or wanted.
SELECT ts::long AS ts_ns FROM commands
WHERE ts >= %(from)s AND ts < %(to)s AND account = %(account)s
  AND command IN ('order', 'cancel', 'flatten', 'pause', 'resume', 'halt', 'amend') ORDER BY ts;

-- limits: when limits or settings changed since the day began.
SELECT ts::long AS ts_ns FROM limits WHERE ts >= %(from)s AND account = %(account)s AND status IN ('set', 'reset')
UNION ALL
SELECT ts::long AS ts_ns FROM config_versions WHERE ts >= %(from)s AND changes LIKE '%%trading%%';

-- refusals: orders that the venue refused.
SELECT ts::long AS ts_ns, symbol FROM order_events
WHERE ts >= %(from)s AND ts < %(to)s AND account = %(account)s AND venue = %(venue)s AND strategy = %(strategy)s
  AND state = 'REJECTED' ORDER BY ts;

-- newest: what came of the comparisons of a day, by strategy and cause.
SELECT p.strategy, p.version, p.symbol, p.equal, p.cause, count() AS decisions FROM parity p
WHERE p.day = %(from)s AND p.account = %(account)s GROUP BY p.strategy, p.version, p.symbol, p.equal, p.cause
ORDER BY p.strategy, p.version, p.symbol, p.equal, decisions DESC;
