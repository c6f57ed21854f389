"""Turns signals into orders within limits, and can always say why."""
