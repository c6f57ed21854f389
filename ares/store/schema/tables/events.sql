-- events: what happened, in the words of its category; mirrored from the log in the control store.
-- Grain: stream, seq. position = place over all streams, in the order of commits. payload, attributes = JSON;
-- version = of the payload's shape (docs/reference/events.md). causation_id = stream@seq of the event that led to it.
CREATE TABLE IF NOT EXISTS events (
  ts TIMESTAMP_NS, category SYMBOL, type SYMBOL, stream VARCHAR, seq LONG, position LONG, version LONG,
  correlation_id VARCHAR, causation_id VARCHAR, attributes VARCHAR, payload VARCHAR
) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, stream, seq);

-- dead_letters: what a subscriber of the log, or QuestDB itself, could not take.
-- Grain: subscription, position (its place in the subscriber's feed). content = JSON.
CREATE TABLE IF NOT EXISTS dead_letters (
  ts TIMESTAMP_NS, subscription SYMBOL, position LONG, error VARCHAR, content VARCHAR
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, subscription, position);
