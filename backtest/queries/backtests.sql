-- same: the newest run that read the same rows by the same code and settings, if there is one.
SELECT b.ts, b.run_id, b.strategy, b.version, b.venue, b.symbols, b.tier, b.status, b.from_ts, b.to_ts, b.start_quote,
       b.end_quote, b.pnl_quote, b.return_share, b.sharpe, b.sortino, b.calmar, b.drawdown_share_max, b.drawdown_s_max,
       b.win_share, b.profit_factor, b.fees_quote, b.turnover_quote, b.exposure_share, b.trades, b.fills, b.refused,
       b.refusals, b.settings, b.seconds, b.report, b.data_hash, b.code_hash, b.fills_hash, b.reason
FROM backtests b
WHERE b.data_hash = %(data_hash)s AND b.code_hash = %(code_hash)s AND b.tier = %(tier)s AND b.strategy = %(strategy)s
  AND b.status = 'ok'
ORDER BY b.ts DESC LIMIT 1;

-- newest: the newest runs.
SELECT b.ts, b.run_id, b.strategy, b.version, b.symbols, b.tier, b.status, b.from_ts, b.to_ts, b.pnl_quote,
       b.return_share, b.sharpe, b.drawdown_share_max, b.trades, b.fees_quote, b.refused, b.seconds
FROM backtests b ORDER BY b.ts DESC LIMIT 50;

-- one: a run by its id, or by how its id begins.
SELECT b.ts, b.run_id, b.strategy, b.version, b.venue, b.symbols, b.tier, b.status, b.from_ts, b.to_ts, b.start_quote,
       b.end_quote, b.pnl_quote, b.return_share, b.sharpe, b.sortino, b.calmar, b.drawdown_share_max, b.drawdown_s_max,
       b.win_share, b.profit_factor, b.fees_quote, b.turnover_quote, b.exposure_share, b.trades, b.fills, b.refused,
       b.refusals, b.settings, b.seconds, b.report, b.data_hash, b.code_hash, b.fills_hash, b.reason
FROM backtests b WHERE b.run_id LIKE %(begins)s ORDER BY b.ts DESC LIMIT 1;
