"""Coinbase spot: Advanced Trade's stream, the Exchange's REST."""
