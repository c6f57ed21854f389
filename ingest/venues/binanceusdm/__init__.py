"""Binance USD-M: perpetuals that are paid in USDT or USDC."""
