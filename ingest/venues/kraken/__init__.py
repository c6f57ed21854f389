"""Kraken spot: WebSocket version 2, REST."""
