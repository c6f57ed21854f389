"""OKX swaps: perpetuals, linear and inverse."""
