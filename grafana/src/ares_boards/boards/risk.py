"""How near the account is to its limits."""

from __future__ import annotations

from ares_boards import look
from ares_boards.board import Board, headline, line
from ares_boards.panels import bars, chart, figure, limited, listing, lives, stacked, total, word
from ares_boards.sources import Prom, Rows, Series

RISK = Board(
    uid="ares-risk",
    title="Risk",
    question="How near is the account to its limits, and what was refused because of them?",
    variables=("account", "venue", "symbol", "strategy"),
    annotations=("fills", "changes", "halts"),
    lines=(
        headline(
            word("State", "ACTIVE trades, REDUCING only closes, HALTED does nothing.", Rows("trading/state"), "state"),
            total(
                "Value at risk",
                "What an ordinary bad hour costs: 95 %, one hour, by each symbol's own last 30 days.",
                Rows("risk/value_at_risk"),
                "value_at_risk",
                unit=look.MONEY,
            ),
            figure(
                "Longest without protection",
                "How long a position has stood without its protective orders.",
                Prom("max(ares_trader_unprotected_seconds)", "without"),
                unit=look.SECONDS,
                colors=look.steps((1.0, look.WATCH), (10.0, look.BAD)),
            ),
            figure(
                "Coins missing at the venue",
                "What the book has and the venue has not, by currency: 0 as long as both agree.",
                Prom("max(ares_trader_balance_short)", "missing"),
                colors=look.steps((1e-9, look.BAD)),
            ),
        ),
        line(
            bars(
                "Limits used",
                "Of each limit on the whole account: orange from 0.8, where the trader warns; red where it refuses.",
                Rows("risk/limits_used"),
                unit=look.SHARE,
                colors=look.steps(*look.OF_A_LIMIT),
                most=1.2,
            ),
            lives("State over time", "When trading was allowed.", Rows("risk/states")),
        ),
        line(
            limited(
                chart("Exposure", "Gross, at mark; red: its limit.", Series("risk/exposure"), unit=look.MONEY),
                "gross_exposure",
            ),
            limited(
                chart(
                    "Drawdown", "Below the highest profit; red: its limit.", Series("risk/drawdown"), unit=look.SHARE
                ),
                "drawdown",
            ),
            limited(
                chart("Profit today", "Red: the loss that stops buys.", Series("risk/day_profit"), unit=look.MONEY),
                "daily_loss",
            ),
        ),
        line(
            listing("At risk by symbol", "Held, and if all open orders are executed.", Rows("risk/by_symbol")),
            listing("Value at risk by symbol", "A bad hour is one of twenty.", Rows("risk/value_at_risk")),
        ),
        line(
            stacked("Refused by rule", "Orders that were not sent.", Series("risk/refusals")),
            chart(
                "Limits drawn in",
                "What limits on exposure are multiplied by while trading.risk.scaling is on; 1: nothing.",
                Prom("min by (symbol) (ares_trader_limit_scale)", "{{symbol}}"),
                unit=look.SHARE,
            ),
        ),
        line(listing("Last refusals", "The rule, what it saw and what it allows.", Rows("risk/refusals_last"))),
        line(
            listing("Limits changed", "Set, taken back or asked for while trading.", Rows("risk/limit_changes")),
            listing("Protection", "What became of protective orders.", Rows("risk/protection")),
        ),
        line(
            listing("Commands", "Who ordered what.", Rows("risk/commands")),
            stacked(
                "Near a limit",
                "Orders that were sent although they passed a soft limit, by rule.",
                Prom("sum by (rule) (increase(ares_trader_limit_warnings_total[$__rate_interval]))", "{{rule}}"),
            ),
        ),
    ),
)
