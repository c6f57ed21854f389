-- The tables that the copy needs where its target is a QuestDB: points keep their nanoseconds, and one that is sent twice
-- is there once. InfluxDB itself needs nothing.
CREATE TABLE IF NOT EXISTS trades (
  timestamp TIMESTAMP_NS, venue SYMBOL, symbol SYMBOL, side VARCHAR, source VARCHAR, trade_id VARCHAR, seq LONG,
  price DOUBLE, amount DOUBLE, ts_ns LONG, received_at_ns LONG
) TIMESTAMP(timestamp) PARTITION BY DAY WAL DEDUP UPSERT KEYS(timestamp, venue, symbol);

CREATE TABLE IF NOT EXISTS trades_archive (
  timestamp TIMESTAMP_NS, venue SYMBOL, symbol SYMBOL, side VARCHAR, source VARCHAR, trade_id VARCHAR, seq LONG,
  price DOUBLE, amount DOUBLE, ts_ns LONG, received_at_ns LONG
) TIMESTAMP(timestamp) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(timestamp, venue, symbol);

CREATE TABLE IF NOT EXISTS quotes (
  timestamp TIMESTAMP_NS, venue SYMBOL, symbol SYMBOL, ts_source VARCHAR, update_id LONG,
  bid DOUBLE, bid_amount DOUBLE, ask DOUBLE, ask_amount DOUBLE, ts_ns LONG, received_at_ns LONG
) TIMESTAMP(timestamp) PARTITION BY DAY WAL DEDUP UPSERT KEYS(timestamp, venue, symbol);

-- As many levels as influx.book_levels says.
CREATE TABLE IF NOT EXISTS books (
  timestamp TIMESTAMP_NS, venue SYMBOL, symbol SYMBOL, ts_source VARCHAR, update_id LONG,
  bid_1 DOUBLE, bid_amount_1 DOUBLE, bid_2 DOUBLE, bid_amount_2 DOUBLE, bid_3 DOUBLE, bid_amount_3 DOUBLE,
  bid_4 DOUBLE, bid_amount_4 DOUBLE, bid_5 DOUBLE, bid_amount_5 DOUBLE,
  ask_1 DOUBLE, ask_amount_1 DOUBLE, ask_2 DOUBLE, ask_amount_2 DOUBLE, ask_3 DOUBLE, ask_amount_3 DOUBLE,
  ask_4 DOUBLE, ask_amount_4 DOUBLE, ask_5 DOUBLE, ask_amount_5 DOUBLE, ts_ns LONG, received_at_ns LONG
) TIMESTAMP(timestamp) PARTITION BY DAY WAL DEDUP UPSERT KEYS(timestamp, venue, symbol);

CREATE TABLE IF NOT EXISTS gaps (
  timestamp TIMESTAMP_NS, venue SYMBOL, symbol SYMBOL, channel SYMBOL, status VARCHAR, cause VARCHAR,
  healed_by VARCHAR, gap_id VARCHAR, revision LONG, started_at_ns LONG, ended_at_ns LONG, first_seq LONG,
  last_seq LONG, missing LONG, ts_ns LONG
) TIMESTAMP(timestamp) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(timestamp, venue, symbol, channel);

CREATE TABLE IF NOT EXISTS venue_bars_1m (
  timestamp TIMESTAMP_NS, venue SYMBOL, symbol SYMBOL, open DOUBLE, high DOUBLE, low DOUBLE, close DOUBLE,
  volume DOUBLE, cost DOUBLE, trades LONG, buy_volume DOUBLE, ts_ns LONG, received_at_ns LONG
) TIMESTAMP(timestamp) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(timestamp, venue, symbol);
