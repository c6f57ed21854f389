-- newest: each command of the last 30 days, by its newest row, newest first.
SELECT ts::long AS ts, account, actor, command, status, command_id, arguments, outcome
FROM (
  commands WHERE ts > dateadd('d', -30, now()) AND (%(accounts)s = '' OR account ~ %(accounts)s)
  LATEST ON ts PARTITION BY command_id
) ORDER BY ts DESC, command_id LIMIT %(skip)s, %(end)s;
