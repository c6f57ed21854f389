"""Any spot venue that ccxt.pro knows and that has no folder of its own here."""
