-- pauses: what was said last of each strategy of each account: paused, or resumed.
SELECT ts::long AS ts, type, stream, strategy, actor, reason FROM (
  SELECT ts, type, stream, json_extract(payload, '$.strategy') AS strategy, json_extract(payload, '$.actor') AS actor,
         json_extract(payload, '$.reason') AS reason
  FROM events WHERE category = 'strategy_pause'
) LATEST ON ts PARTITION BY stream, strategy;

-- newest: the newest signal of each strategy and symbol in the last three hours.
DECLARE @from := dateadd('h', -3, now())
SELECT ts::long AS ts, venue, symbol, strategy, number AS version, target, confidence, model_version,
       known_at::long AS known_at
FROM (
  SELECT s.ts, s.venue, s.symbol, s.strategy, s.version AS number, s.target, s.confidence, s.model_version, s.known_at
  FROM signals_asof s WHERE (%(strategies)s = '' OR s.strategy ~ %(strategies)s)
) LATEST ON ts PARTITION BY venue, symbol, strategy, number
ORDER BY strategy, version, venue, symbol LIMIT 1000;

-- targets: what a strategy wanted over the last day, in steps of five minutes.
SELECT ts::long AS ts, venue, symbol, number, last(target) AS target FROM (
  SELECT s.ts, s.venue, s.symbol, s.version AS number, s.target FROM signals_asof s WHERE s.strategy = %(strategy)s
) TIMESTAMP(ts) SAMPLE BY 5m ALIGN TO CALENDAR ORDER BY ts, venue, symbol, number LIMIT 20000;

-- decided: how often a strategy did what for which reason in the last day, refusals first.
SELECT action, rule, reason, count() AS times, max(ts)::long AS ts,
       CASE action WHEN 'refuse' THEN 0 WHEN 'skip' THEN 1 ELSE 2 END AS place
FROM decisions WHERE strategy = %(strategy)s AND ts >= dateadd('d', -1, now())
  AND (%(accounts)s = '' OR account ~ %(accounts)s)
ORDER BY place, times DESC LIMIT 100;

-- texts: what each version of a signal's view is, as it is deployed.
SELECT view_name AS name, view_sql AS text FROM views()
WHERE regexp_replace(view_name, '_v[0-9]+$', '') = %(strategy)s AND view_name != %(strategy)s
ORDER BY name DESC LIMIT 20;
