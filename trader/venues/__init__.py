"""The doors to venues: what the trader needs of one, and how ccxt gives it."""
