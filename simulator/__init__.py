"""A Binance-compatible exchange that replays recordings, matches orders and misbehaves on request."""
