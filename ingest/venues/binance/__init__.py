"""Binance: spot, and everything that speaks its protocol, the simulated exchange included."""
