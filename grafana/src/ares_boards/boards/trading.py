"""What the account is worth, earns, holds and does."""

from __future__ import annotations

from ares_boards import look
from ares_boards.board import Board, headline, line
from ares_boards.panels import candles, chart, figure, listing, stacked, word
from ares_boards.sources import Rows, Series

TRADING = Board(
    uid="ares-trading",
    title="Trading overview",
    question="Is it trading, what does it earn, and what does it hold?",
    variables=("account", "venue", "symbol", "strategy", "chart"),
    annotations=("fills", "changes", "halts", "promotions"),
    lines=(
        headline(
            word("State", "ACTIVE trades, REDUCING only closes, HALTED does nothing.", Rows("trading/state"), "state"),
            figure("Worth", "Cash and positions at mark.", Series("trading/worth"), unit=look.MONEY),
            figure(
                "Profit today",
                "Since midnight UTC, realised and unrealised.",
                Series("trading/day_profit"),
                unit=look.MONEY,
                colors=look.steps(*look.PROFIT, base=look.BAD),
            ),
            figure("Open orders", "That may still be executed.", Rows("trading/open_orders_count")),
        ),
        line(
            candles(
                "Price, and where we traded",
                "Candles of the symbol on the chart; points are the average price of what we bought and sold in each.",
                Series("trading/candles"),
            )
        ),
        line(
            chart(
                "Worth and capital",
                "The distance between both is the profit; capital moves by deposits and withdrawals alone.",
                Series("trading/equity"),
                unit=look.MONEY,
            ),
            chart(
                "Profit by where it comes from",
                "Closed positions, open ones at mark, funding.",
                Series("trading/profit"),
                unit=look.MONEY,
            ),
        ),
        line(listing("Positions", "What each strategy holds; flat ones are left out.", Rows("trading/positions"))),
        line(
            listing("What strategies want", "Target from -1 to 1, and its age.", Rows("trading/signals")),
            listing("By strategy", "Fills, turnover, fees and profit of the chosen time.", Rows("trading/report")),
        ),
        line(
            listing("Open orders", "The newest first.", Rows("trading/orders_open")),
            listing("Fills", "Follow a trace_id to all that led to the fill.", Rows("trading/fills")),
        ),
        line(
            stacked("Turnover", "Bought and sold by each strategy.", Series("trading/turnover"), unit=look.MONEY),
            stacked("Decisions", "What the trading cycles decided.", Series("trading/decisions")),
        ),
    ),
)
