-- What: A table of backtests: what was run over which rows, and what came of it.
-- Why: A result is compared with others, and not worked out a second time from the same rows and code.
-- Rollback: None needed: an older release does not look at the table.
CREATE TABLE IF NOT EXISTS backtests (
  ts TIMESTAMP_NS, strategy SYMBOL, venue SYMBOL, tier SYMBOL, status SYMBOL, run_id VARCHAR, version LONG,
  symbols VARCHAR, from_ts TIMESTAMP_NS, to_ts TIMESTAMP_NS, data_hash VARCHAR, code_hash VARCHAR, fills_hash VARCHAR,
  start_quote DOUBLE, end_quote DOUBLE, pnl_quote DOUBLE, return_share DOUBLE, sharpe DOUBLE, sortino DOUBLE,
  calmar DOUBLE, drawdown_share_max DOUBLE, drawdown_s_max DOUBLE, win_share DOUBLE, profit_factor DOUBLE,
  fees_quote DOUBLE, turnover_quote DOUBLE, exposure_share DOUBLE, trades LONG, fills LONG, refused LONG,
  refusals VARCHAR, settings VARCHAR, seconds DOUBLE, report VARCHAR, reason VARCHAR
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, run_id);
