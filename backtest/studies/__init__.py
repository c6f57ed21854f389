"""Studies: many fast backtests, and what they say together about one strategy."""
