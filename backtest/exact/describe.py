"""The settings of an exact backtest as text: for the row, and for the hash that a result is found again by."""

from __future__ import annotations

from dataclasses import asdict

from backtest.exact.settings import ExactSettings


def supposed(settings: ExactSettings) -> dict[str, str]:
    """What was supposed of the market and of the way to it, by name."""
    every = asdict(settings.frictions) | asdict(settings.latency) | {"cash": settings.cash, "state": settings.state}
    return {name: str(value) for name, value in sorted(every.items()) if value is not None}


def deciding(settings: ExactSettings) -> tuple[str, ...]:
    """All that decides what comes out beside rows and code."""
    return (settings.trading.model_dump_json(), *(f"{name}={value}" for name, value in supposed(settings).items()))
