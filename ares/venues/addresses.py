"""Where venues are reached unless a setting says otherwise."""

BINANCE_REST = "https://api.binance.com"
BINANCE_STREAMS = "wss://stream.binance.com:9443"
