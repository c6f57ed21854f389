"""Limits as people write and read them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from ares.clock import isoformat
from ares.control import Json
from ares.errors import UsageError
from trader.execution.limits import Scope, SetLimits, Standing
from trader.risk import LIMITS, Limits


def limit_wanted(details: Mapping[str, str]) -> tuple[Scope, Decimal | None]:
    """Which limit a command means, and its value: None to let the setting hold. Raises `UsageError`."""
    name = details.get("name", "")
    if name not in LIMITS:
        raise UsageError(f"name = {name}: no such limit. Known: {', '.join(LIMITS)}")
    scope = Scope(name, details.get("strategy", ""), details.get("symbol", ""))
    text = details.get("value", "")
    return scope, _value(name, text) if text else None


def _value(name: str, text: str) -> Decimal:
    unit = LIMITS[name].unit
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise UsageError(f"{name} = {text}: a number is expected ({unit})") from None
    if not value.is_finite() or value <= 0:
        raise UsageError(f"{name} = {text}: must be above 0 ({unit}). To stop trading: ares trader halt")
    if unit == "share" and value > 1:
        raise UsageError(f"{name} = {text}: is a share, at most 1")
    return value


def limits_shown(limits: SetLimits, configured: Limits) -> dict[str, Json]:
    """One entry a limit and scope; `configured` beside `value` shows where the settings are not what holds."""
    effective = limits.effective(configured)
    found: list[Json] = [
        _entry(Scope(name), effective.get(name), configured, limits.standing.get(Scope(name))) for name in LIMITS
    ]
    for scope, standing in sorted(limits.standing.items(), key=lambda each: (each[0].name, each[0].symbol)):
        if not scope.is_account:
            found.append(_entry(scope, standing.change.value, configured, standing))
    asked: list[Json] = [_asked(each) for each in limits.asked.values() if limits.is_current(each)]
    return {"limits": found, "asked": asked}


def _entry(scope: Scope, value: Decimal | None, configured: Limits, standing: Standing | None) -> Json:
    return {
        "name": scope.name,
        "strategy": scope.strategy,
        "symbol": scope.symbol,
        "value": shown(value),
        "unit": LIMITS[scope.name].unit,
        "configured": shown(configured.get(scope.name)),
        "set_by": "" if standing is None else standing.change.actor,
        "approved_by": "" if standing is None else standing.approved_by,
        "since": "" if standing is None else isoformat(standing.ts_ns),
        "reason": "" if standing is None else standing.change.reason,
    }


def _asked(standing: Standing) -> Json:
    change = standing.change
    return {
        "id": change.id,
        "name": change.name,
        "strategy": change.strategy,
        "symbol": change.symbol,
        "value": shown(change.value),
        "before": shown(change.before),
        "asked_by": change.actor,
        "since": isoformat(standing.ts_ns),
        "reason": change.reason,
    }


def shown(value: Decimal | None) -> str:
    """A limit for people; nothing where there is none."""
    return "" if value is None else f"{value.normalize():f}"
