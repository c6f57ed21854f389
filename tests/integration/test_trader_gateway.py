"""Goal: ccxt's gateway passes the venue contract on the simulated exchange, and a trader on it sends nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import cast
from uuid import uuid4

import aiohttp
import ccxt
import pytest
import pytest_asyncio

from ares.clock import SystemClock
from ares.config.settings import VenueConfig
from ares.config.trading import StrategyConfig, TradingConfig
from ares.control import ControlStore
from ares.errors import OrderOutcomeUnknown, VenueRejected, VenueUnavailable
from simulator.auth import Keys
from simulator.exchange import Exchange, ExchangeOptions
from trader.command_log import Order
from trader.execution.ids import DecisionName, client_order_id
from trader.parts import TraderParts
from trader.portfolio.orders import OrderState
from trader.reader import MarketSeen, QuoteSeen, SignalSeen
from trader.runtime import Trader
from trader.testing import CONTRACT, ContractBench, StaticReader
from trader.venues.ccxt_gateway import CcxtGateway
from trader.venues.gateway import OrderRequest

pytestmark = pytest.mark.asyncio(loop_scope="module")

BTC = "BTC/USDT"
STRATEGY = "signal_momentum"
QUANTITY = Decimal("0.001")
CLOCK = SystemClock()


@dataclass(slots=True)
class Venue:
    """A running exchange and the account's door to it."""

    exchange: Exchange
    gateway: CcxtGateway
    http: aiohttp.ClientSession

    async def misbehave(self, **wish: object) -> None:
        async with self.http.post("/sim/misbehave", json=wish) as answer:
            assert answer.status == 200, await answer.text()

    async def submissions(self) -> dict[str, int]:
        """How often each client id reached the exchange."""
        async with self.http.get("/sim/orders") as answer:
            return cast("dict[str, int]", (await answer.json())["submissions"])


def config_of(exchange: Exchange, timeout_s: float = 1.0, secret: str = "secret") -> VenueConfig:
    return VenueConfig.model_validate(
        {
            "rest_url": exchange.address,
            "ws_url": exchange.address.replace("http", "ws"),
            "api_key": "key",
            "api_secret": secret,
            "request_timeout_s": timeout_s,
        }
    )


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def exchange(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Exchange]:
    """One exchange for all tests here, for it takes seconds to start; each test leaves no open order."""
    balances = {"USDT": Decimal(20_000), "BTC": Decimal("0.05")}
    one = Exchange(
        ExchangeOptions(tmp_path_factory.mktemp("exchange"), port=0, keys=Keys("key", "secret"), balances=balances),
        CLOCK,
    )
    await one.start()
    running = asyncio.create_task(one.run())
    yield one
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await one.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def there(exchange: Exchange) -> AsyncIterator[Venue]:
    gateway = CcxtGateway("sim", config_of(exchange), CLOCK)
    await gateway.connect([BTC])
    async with aiohttp.ClientSession(exchange.address) as http:
        yield Venue(exchange, gateway, http)
    await gateway.close()


def contract_bench(there: Venue) -> ContractBench:
    return ContractBench(
        gateway=there.gateway,
        symbol=BTC,
        quantity=QUANTITY,
        break_next_submit=lambda: there.misbehave(kind="accept_timeout", on="order"),
        name=lambda: client_order_id(DecisionName("contract", STRATEGY, 1, BTC, uuid4().int)),
    )


@pytest.mark.parametrize("case", CONTRACT, ids=lambda case: case.__name__)
async def test_the_contract_holds_over_ccxt(case: Callable[[ContractBench], Awaitable[None]], there: Venue) -> None:
    await case(contract_bench(there))


def request(quantity: Decimal = QUANTITY) -> OrderRequest:
    order_id = client_order_id(DecisionName("test", STRATEGY, 1, BTC, uuid4().int))
    return OrderRequest(order_id, BTC, "buy", "market", "IOC", quantity, None)


async def test_grids_balances_and_marks_are_exact_decimals(there: Venue) -> None:
    grid = (await there.gateway.connect([BTC]))[BTC]
    assert (grid.price_tick, grid.amount_step, grid.cost_min) == (Decimal("0.01"), Decimal("0.00001"), Decimal(5))
    balance = (await there.gateway.balances())["USDT"]
    assert isinstance(balance.total, Decimal)
    assert balance.total > 10_000
    assert await there.gateway.grids([BTC, "NO/SUCH"]) == {BTC: grid}
    assert (await there.gateway.marks([BTC, "NO/SUCH"])).keys() == {BTC}
    assert await there.gateway.marks(["NO/SUCH"]) == {}


@pytest.mark.parametrize("kind", ["5xx", "429", "418"])
async def test_an_http_error_on_submit_is_an_unknown_outcome_and_is_sent_once(there: Venue, kind: str) -> None:
    await there.misbehave(kind=kind, on="/api/v3/order")
    order = request()
    with pytest.raises(OrderOutcomeUnknown):
        await there.gateway.submit(order)
    assert (await there.submissions()).get(order.client_order_id, 0) <= 1


async def test_a_filter_s_refusal_is_a_rejection(there: Venue) -> None:
    with pytest.raises(VenueRejected) as refused:
        await there.gateway.submit(request(Decimal("0.00001")))
    assert "NOTIONAL" in str(refused.value)


async def test_a_look_is_repeated_once_and_then_said_to_be_unavailable(there: Venue) -> None:
    await there.misbehave(kind="5xx", on="/api/v3/account")
    assert (await there.gateway.balances())["USDT"].total > 10_000
    await there.misbehave(kind="5xx", on="/api/v3/account", count=2)
    with pytest.raises(VenueUnavailable):
        await there.gateway.balances()


async def test_wrong_keys_are_a_rejection_not_a_doubt(exchange: Exchange) -> None:
    gateway = CcxtGateway("sim", config_of(exchange, secret="wrong"), CLOCK)
    try:
        await gateway.connect([BTC])
        with pytest.raises(VenueRejected):
            await gateway.submit(request())
    finally:
        await gateway.close()


async def test_new_keys_are_signed_with_from_the_next_request_on(exchange: Exchange) -> None:
    gateway = CcxtGateway("sim", config_of(exchange, secret="outdated"), CLOCK)
    try:
        await gateway.connect([BTC])
        with pytest.raises(VenueRejected):
            await gateway.balances()
        gateway.rekey(config_of(exchange))
        assert (await gateway.balances())["USDT"].total > 0
    finally:
        await gateway.close()


async def test_an_exchange_that_is_not_there_is_unavailable(port: int) -> None:
    config = VenueConfig.model_validate(
        {
            "rest_url": f"http://127.0.0.1:{port}",
            "ws_url": f"ws://127.0.0.1:{port}",
            "api_key": "key",
            "api_secret": "secret",
        }
    )
    gateway = CcxtGateway("sim", config, CLOCK)
    try:
        with pytest.raises(VenueUnavailable):
            await gateway.connect([BTC])
    finally:
        await gateway.close()


def trading(**changes: object) -> TradingConfig:
    config = TradingConfig(
        strategies=(StrategyConfig(name=STRATEGY, max_position_quote=Decimal(1_000)),),
        adopt_balances_to=None,
        unknown_visibility_s=0.5,
        unknown_poll_s=0.05,
    )
    return config.model_copy(update=changes)


def a_trader(there: Venue, control: ControlStore, account: str, reader: StaticReader) -> Trader:
    """A process of its own; the account's name goes into client ids, and the exchange outlives a test."""
    parts = TraderParts(
        config=trading(account=account),
        symbols=(BTC,),
        control=control,
        gateway=there.gateway,
        reader=reader,
        clock=CLOCK,
        instance=uuid4().hex,
        request_s_max=2.0,
    )
    return Trader(parts)


async def market_now(there: Venue, target: float) -> StaticReader:
    mark = (await there.gateway.marks([BTC]))[BTC]
    now_ns = CLOCK.now_ns()
    signal = SignalSeen(now_ns, now_ns, target, 1.0)
    quote = QuoteSeen(mark - Decimal("0.01"), mark + Decimal("0.01"), now_ns)
    return StaticReader(MarketSeen({(STRATEGY, 1, BTC): signal}, {BTC: quote}, {BTC: mark}))


async def test_an_unanswered_order_is_resolved_by_its_id_and_stands_once(
    there: Venue, control: ControlStore, venue: str
) -> None:
    trader = a_trader(there, control, venue, await market_now(there, 1.0))
    await trader.leadership.wait()
    await trader.begin()
    coins = trader.account.balances["BTC"].total
    await there.misbehave(kind="accept_timeout", on="order")
    (decision,) = await trader.cycle.run()
    assert trader.desk.orders()[0].state is OrderState.UNKNOWN
    await trader.desk.follow()
    assert trader.desk.orders() == []
    assert decision.client_order_id is not None
    assert (await there.submissions())[decision.client_order_id] == 1
    gained = (await there.gateway.balances())["BTC"].total - coins
    assert trader.ledger.portfolio.quantity(BTC) == gained > 0


async def test_the_book_agrees_with_the_venue_s_balances_after_a_round_trip(
    there: Venue, control: ControlStore, venue: str
) -> None:
    trader = a_trader(there, control, venue, await market_now(there, 1.0))
    await trader.leadership.wait()
    await trader.begin()
    cash_before, coins = trader.account.cash.total, trader.account.balances["BTC"].total
    await trader.cycle.run()
    held = trader.ledger.portfolio.quantity(BTC)
    assert held > 0
    status = await trader.commander.status()
    assert status["positions"]
    outcome = await trader.commander.flatten(Order("test", "round trip"))
    assert outcome["state"] == "HALTED"
    await trader.account.refresh_balances()
    position = trader.ledger.portfolio.position(BTC, STRATEGY)
    cash_spent = cash_before - trader.account.cash.total
    assert cash_spent == position.cost_basis - position.realised_quote
    assert trader.account.balances["BTC"].total - coins == position.quantity
    assert position.quantity < Decimal("0.00001")


async def test_a_restarted_trader_books_what_happened_while_nobody_looked(
    there: Venue, control: ControlStore, venue: str
) -> None:
    first = a_trader(there, control, venue, await market_now(there, 1.0))
    await first.leadership.wait()
    await first.begin()
    await there.misbehave(kind="accept_timeout", on="order")
    (decision,) = await first.cycle.run()
    await first.leadership.release()
    second = a_trader(there, control, venue, await market_now(there, 1.0))
    await second.leadership.wait()
    await second.begin()
    assert second.desk.orders() == []
    assert second.ledger.portfolio.quantity(BTC) > 0
    assert decision.client_order_id is not None
    assert (await there.submissions())[decision.client_order_id] == 1


async def test_an_answer_to_a_submit_that_says_nothing_is_an_unknown_outcome(
    there: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nonsense(*_: object) -> object:
        return {"info": {"orderId": None}}

    monkeypatch.setattr(there.gateway._client, "create_order", nonsense)
    with pytest.raises(OrderOutcomeUnknown, match="answer to create_order not understood"):
        await there.gateway.submit(request())


async def test_an_answer_to_a_look_that_says_nothing_is_no_answer(
    there: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nonsense(*_: object) -> object:
        return {"info": "nothing"}

    monkeypatch.setattr(there.gateway._client, "fetch_balance", nonsense)
    with pytest.raises(VenueUnavailable, match="answer to fetch_balance not understood"):
        await there.gateway.balances()


async def test_a_submit_that_no_answer_came_to_in_time_is_an_unknown_outcome(
    there: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silence(*_: object) -> object:
        return await asyncio.Event().wait()

    gateway = CcxtGateway("sim", config_of(there.exchange, timeout_s=0.1), CLOCK)
    await gateway.connect([BTC])
    monkeypatch.setattr(gateway._client, "create_order", silence)
    with pytest.raises(OrderOutcomeUnknown):
        await gateway.submit(request())
    await gateway.close()


async def test_a_refusal_to_show_an_order_is_not_its_absence(there: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object) -> object:
        raise ccxt.PermissionDenied("no")

    monkeypatch.setattr(there.gateway._client, "fetch_order", refuse)
    with pytest.raises(VenueRejected) as refused:
        await there.gateway.find_order(BTC, client_order_id="ares1")
    assert refused.value.reason == "PermissionDenied"


async def test_a_refused_timestamp_makes_the_next_look_measure_the_venues_clock(
    there: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = there.gateway._client
    measured: list[int] = []
    asked: list[int] = []
    balance = client.fetch_balance

    async def late_at_first() -> object:
        asked.append(1)
        if len(asked) == 1:
            raise ccxt.InvalidNonce("Timestamp for this request is outside of the recvWindow.")
        return await balance()

    async def measure() -> object:
        measured.append(1)
        return 0

    monkeypatch.setattr(client, "fetch_balance", late_at_first)
    monkeypatch.setattr(client, "load_time_difference", measure)
    assert (await there.gateway.balances())["USDT"].total > 0
    assert (asked, measured) == ([1, 1], [1]), "asked again by a clock that was set"
    await there.gateway.balances()
    assert measured == [1], "once is enough"
