"""What we own and what we asked for: Decimal accounting, sizing and an order's life. Pure: no I/O."""
