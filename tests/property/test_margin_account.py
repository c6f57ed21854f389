"""Goal: whatever is traded on margin, wallet and unrealised profit together are what came in and what was gained."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ares.testing.clock import SteppedClock
from trader.portfolio.portfolio import Portfolio, split_funding
from trader.portfolio.positions import Fill
from trader.portfolio.sizing import Grid
from trader.testing_perpetuals import PaperPerpetuals
from trader.venues.gateway import OrderRequest

D = Decimal
PERP = "BTC/USDT:USDT"
BEGUN = D(10**9)
DUST = D("0.000001")
steps = st.tuples(
    st.sampled_from(("buy", "sell")),
    st.integers(1, 3_000).map(lambda thousandths: D(thousandths) / 1_000),
    st.integers(1_000, 9_000_000).map(lambda cents: D(cents) / 100),
    st.sampled_from(("a", "b")),
    st.sampled_from((None, "0.0001", "-0.0003")),
)


@given(st.lists(steps, max_size=25), st.sampled_from(("0", "0.0005", "-0.0001")))
async def test_equity_is_capital_and_profit_after_every_fill_on_either_side(
    drawn: list[tuple[str, Decimal, Decimal, str, str | None]], fee_share: str
) -> None:
    """The venue keeps one position by average entry; the book keeps one a strategy. They agree on what all is worth."""
    clock = SteppedClock()
    venue = PaperPerpetuals(
        clock, {PERP: D(50_000)}, {"USDT": BEGUN}, {PERP: Grid(D("0.01"), D("0.001"), D(0))}, D(fee_share)
    )
    book = Portfolio()
    for number, (side, quantity, price, strategy, rate) in enumerate(drawn):
        venue.prices[PERP] = price
        way = "buy" if side == "buy" else "sell"
        await venue.submit(OrderRequest(f"o{number}", PERP, way, "market", "IOC", quantity, None))
        book.apply(Fill(venue.fills[-1], f"o{number}", strategy, "c", clock.now_ns()))
        if rate is not None and venue.quantity(PERP):
            payment = venue.pay_funding(PERP, D(rate))
            book.fund(payment, split_funding(payment, book.held_at(PERP, payment.ts_ns)))
        assert book.quantity(PERP) == venue.quantity(PERP)
        worth = book.worth({PERP: price})
        wallet = venue.holdings["USDT"]
        held = (await venue.positions()).get(PERP)
        unrealised = D(0) if held is None else held.quantity * (price - held.entry_price)
        assert abs(wallet + unrealised - BEGUN - worth.pnl_quote) < DUST
        assert abs(wallet + worth.positions_quote - BEGUN - worth.pnl_quote) < DUST
