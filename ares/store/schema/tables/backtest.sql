-- backtests: one run of a strategy over a stretch of the past, with the figures of its outcome.
-- Grain: run_id. ts = when the run ended. tier: exact (the trader itself), fast (vectorised). status: ok, failed.
-- data_hash stands for the rows that were read, code_hash for code and settings, fills_hash for what was executed.
-- refusals = how many orders each rule kept back, as JSON; settings = what was supposed of the market, as JSON.
CREATE TABLE IF NOT EXISTS backtests (
  ts TIMESTAMP_NS, strategy SYMBOL, venue SYMBOL, tier SYMBOL, status SYMBOL, run_id VARCHAR, version LONG,
  symbols VARCHAR, from_ts TIMESTAMP_NS, to_ts TIMESTAMP_NS, data_hash VARCHAR, code_hash VARCHAR, fills_hash VARCHAR,
  start_quote DOUBLE, end_quote DOUBLE, pnl_quote DOUBLE, return_share DOUBLE, sharpe DOUBLE, sortino DOUBLE,
  calmar DOUBLE, drawdown_share_max DOUBLE, drawdown_s_max DOUBLE, win_share DOUBLE, profit_factor DOUBLE,
  fees_quote DOUBLE, turnover_quote DOUBLE, exposure_share DOUBLE, trades LONG, fills LONG, refused LONG,
  refusals VARCHAR, settings VARCHAR, seconds DOUBLE, report VARCHAR, reason VARCHAR
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, run_id);
