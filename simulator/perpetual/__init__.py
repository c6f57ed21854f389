"""The class `binanceusdm`: perpetuals under /fapi, their streams, and an account of positions and margin."""
