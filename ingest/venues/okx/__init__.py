"""OKX: spot."""
