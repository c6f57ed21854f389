"""How far limits on exposure are drawn in when the market is wild, or when we lose."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.portfolio.money import to_scale

ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class ScalePolicy:
    """`scale_min` is the least scale, in (0, 1]; `drawdown_max` the fall at which it is reached, None: none is."""

    scale_min: Decimal
    drawdown_max: Decimal | None


def exposure_scale(turbulence: Decimal | None, drawdown: Decimal | None, policy: ScalePolicy) -> Decimal:
    """What to multiply limits on exposure by, in [scale_min, 1].

    `turbulence` is realised volatility of the last hour over that of the last day: limits shrink by as much as it is
    above 1, so that what is at risk stays the same (volatility targeting; Moreira and Muir, Volatility-Managed
    Portfolios, 2017). `drawdown`, a share, draws them in evenly down to the least. The smaller of the two holds. What
    is not known counts as the worst.
    """
    return min(_by_turbulence(turbulence, policy), _by_drawdown(drawdown, policy))


def _by_turbulence(turbulence: Decimal | None, policy: ScalePolicy) -> Decimal:
    if turbulence is None:
        return policy.scale_min
    return ONE if turbulence <= 1 else max(policy.scale_min, to_scale(ONE / turbulence))


def _by_drawdown(drawdown: Decimal | None, policy: ScalePolicy) -> Decimal:
    if policy.drawdown_max is None:
        return ONE
    if drawdown is None:
        return policy.scale_min
    fallen = min(ONE, max(Decimal(0), drawdown) / policy.drawdown_max)
    return to_scale(ONE - fallen * (ONE - policy.scale_min))
