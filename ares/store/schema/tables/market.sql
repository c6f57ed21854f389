-- instruments: a version of a venue's instrument: tick, lot, minimum cost, fees; of a perpetual also its contract.
-- Grain: venue, symbol, change. ts = when we learned it. amount_step is in the base currency (0: no step of it).
-- contract: NULL, linear (contract_size is of the base currency) or inverse (of the quote); the venue's orders count in contracts.
CREATE TABLE IF NOT EXISTS instruments (
  ts TIMESTAMP_NS, venue SYMBOL, symbol SYMBOL, base SYMBOL, quote SYMBOL, venue_symbol VARCHAR,
  price_tick DECIMAL(28,10), amount_step DECIMAL(28,10), cost_min DECIMAL(28,10),
  maker_fee DECIMAL(28,10), taker_fee DECIMAL(28,10), active BOOLEAN, contract SYMBOL, contract_size DECIMAL(28,10)
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, venue, symbol);

-- trades: a public trade, one id space per venue by stream, REST and replay alike.
-- Grain: venue, symbol, trade_id. ts = the venue's trade time; seq orders trades that share it. side = the taker's.
CREATE TABLE IF NOT EXISTS trades (
  ts TIMESTAMP_NS, venue SYMBOL, symbol SYMBOL, side SYMBOL, source SYMBOL, trade_id VARCHAR, seq LONG,
  price DOUBLE, amount DOUBLE, received_at TIMESTAMP_NS
) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, venue, symbol, trade_id);

-- trades_archive: trades that were imported or fetched when they were older than `database.retention_trades_days`.
-- Grain: venue, symbol, trade_id, as in trades. No view reads it, so that what arrives here changes no bar.
CREATE TABLE IF NOT EXISTS trades_archive (
  ts TIMESTAMP_NS, venue SYMBOL, symbol SYMBOL, side SYMBOL, source SYMBOL, trade_id VARCHAR, seq LONG,
  price DOUBLE, amount DOUBLE, received_at TIMESTAMP_NS
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, venue, symbol, trade_id);

-- quotes: a change of the best bid or ask.
-- Grain: venue, symbol, update_id. ts_source says whose clock ts is: some venues' frames carry no time.
CREATE TABLE IF NOT EXISTS quotes (
  ts TIMESTAMP_NS, venue SYMBOL, symbol SYMBOL, ts_source SYMBOL, update_id LONG,
  bid DOUBLE, bid_amount DOUBLE, ask DOUBLE, ask_amount DOUBLE, received_at TIMESTAMP_NS
) TIMESTAMP(ts) PARTITION BY HOUR TTL 7 DAYS WAL DEDUP UPSERT KEYS(ts, venue, symbol, update_id);

-- books: a snapshot of the top of the book; bids and asks are [prices, amounts], best first.
-- Grain: venue, symbol, update_id.
CREATE TABLE IF NOT EXISTS books (
  ts TIMESTAMP_NS, venue SYMBOL, symbol SYMBOL, ts_source SYMBOL, update_id LONG,
  bids DOUBLE[][], asks DOUBLE[][], received_at TIMESTAMP_NS
) TIMESTAMP(ts) PARTITION BY HOUR TTL 3 DAYS WAL DEDUP UPSERT KEYS(ts, venue, symbol, update_id);

-- venue_bars_1m: the venue's own one-minute candle, to check ours against and to reach back before our first tick.
-- Grain: venue, symbol, minute (ts = start).
CREATE TABLE IF NOT EXISTS venue_bars_1m (
  ts TIMESTAMP_NS, venue SYMBOL, symbol SYMBOL, open DOUBLE, high DOUBLE, low DOUBLE, close DOUBLE,
  volume DOUBLE, cost DOUBLE, trades LONG, buy_volume DOUBLE, received_at TIMESTAMP_NS
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, venue, symbol);

-- funding: a perpetual's funding rate, a share of the position's value; positive: longs pay shorts.
-- Grain: venue, symbol, kind, ts. kind predicted: what the venue said at ts of the payment at funding_at, written when it
-- changes and now and then while it does not; settled: what was paid at ts = funding_at (the venue's own, to its ms).
-- mark_price, index_price: at ts, NULL where the venue does not tell them.
CREATE TABLE IF NOT EXISTS funding (
  ts TIMESTAMP_NS, venue SYMBOL, symbol SYMBOL, kind SYMBOL, rate DOUBLE, mark_price DOUBLE, index_price DOUBLE,
  funding_at TIMESTAMP_NS, received_at TIMESTAMP_NS
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, venue, symbol, kind);

-- gaps: a range that is missing from the stream, why, and how it was healed; append-only, one row a revision.
-- Grain: gap_id, revision. ts = when this revision was written; the newest revision of a gap_id is its state.
-- status: open (rows are missing), healed (rows were fetched), lost (the venue no longer has them).
-- first_seq..last_seq are the missing trade seqs, both inclusive; NULL where the channel has no ids.
CREATE TABLE IF NOT EXISTS gaps (
  ts TIMESTAMP_NS, venue SYMBOL, symbol SYMBOL, channel SYMBOL, status SYMBOL, cause SYMBOL, healed_by SYMBOL,
  gap_id VARCHAR, revision LONG, started_at TIMESTAMP_NS, ended_at TIMESTAMP_NS,
  first_seq LONG, last_seq LONG, missing LONG
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, gap_id, revision);

-- quarantine: a frame we refused, the field that was wrong, and its raw text.
-- Grain: venue, channel, digest of the frame. ts = receipt.
CREATE TABLE IF NOT EXISTS quarantine (
  ts TIMESTAMP_NS, venue SYMBOL, channel SYMBOL, symbol SYMBOL, field SYMBOL, reason VARCHAR, digest VARCHAR,
  raw VARCHAR
) TIMESTAMP(ts) PARTITION BY DAY TTL 14 DAYS WAL DEDUP UPSERT KEYS(ts, venue, channel, digest);

-- ingest_watermarks: up to which event time everything of a venue and symbol has been acknowledged by the store.
-- Grain: venue, symbol, channel, publication. ts = when it was published; watermark only grows.
CREATE TABLE IF NOT EXISTS ingest_watermarks (
  ts TIMESTAMP_NS, venue SYMBOL, symbol SYMBOL, channel SYMBOL, watermark TIMESTAMP_NS, last_seq LONG,
  acked_rows LONG
) TIMESTAMP(ts) PARTITION BY DAY TTL 30 DAYS WAL DEDUP UPSERT KEYS(ts, venue, symbol, channel);

-- quality_checks: what a check of stored data observed in a span of time, and its grade: ok, warn or fail.
-- Grain: check_name, venue, symbol, channel, run. ts = the run. symbol '' = frames whose symbol is not known.
-- observed NULL = there was nothing where something must be; warn_limit, fail_limit: graded so above; NULL = never so.
CREATE TABLE IF NOT EXISTS quality_checks (
  ts TIMESTAMP_NS, check_name SYMBOL, venue SYMBOL, symbol SYMBOL, channel SYMBOL, grade SYMBOL, unit SYMBOL,
  observed DOUBLE, warn_limit DOUBLE, fail_limit DOUBLE, span_from TIMESTAMP_NS, span_to TIMESTAMP_NS, detail VARCHAR
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, check_name, venue, symbol, channel);

-- copies: a span of a table that an InfluxDB has: which of its rows, by number and fingerprint, when, and how many of
-- them it refused for good. A span whose rows are others by now is sent again.
-- Grain: target, table, span. ts = its start. delay_ms = sum of received_at - ts of its rows; 0 for tables without receipt.
CREATE TABLE IF NOT EXISTS copies (
  ts TIMESTAMP_NS, target SYMBOL, table_name SYMBOL, row_count LONG, delay_ms LONG, refused LONG, sent_at TIMESTAMP_NS
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, target, table_name);
