"""Goal: over the wire a trader is short, paid, flips, is found again after it died, and ends flat as the venue says."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import cast
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
from pydantic import SecretStr

from ares.clock import SystemClock
from ares.config.settings import VenueConfig
from ares.config.trading import ProtectionConfig, RiskConfig, StrategyConfig, TradingConfig
from ares.control import ControlStore
from ares.errors import VenueUnavailable
from simulator.auth import Keys
from simulator.exchange import Exchange, ExchangeOptions
from simulator.perpetual.market import Funding
from simulator.perpetual.venue import PerpetualOptions
from trader.commander import Order
from trader.contracts import sweep_funding
from trader.execution.ids import DecisionName, client_order_id
from trader.live.rekey import KeyChange
from trader.parts import TraderParts
from trader.portfolio.legs import way_out
from trader.portfolio.orders import OrderState
from trader.reader import MarketSeen, QuoteSeen, SignalSeen
from trader.risk import TradingState
from trader.runtime import Trader
from trader.testing import CONTRACT, ContractBench, StaticReader
from trader.testing_perpetuals import PERPETUALS_CONTRACT
from trader.venues.gateway import OrderRequest
from trader.venues.usdm_gateway import UsdmGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")

PERP = "BTC/USDT:USDT"
STRATEGY = "signal_momentum"
QUANTITY = Decimal("0.004")
FUNDING_MS = 2_000
LEVERAGE = 3
CLOCK = SystemClock()
UNPROTECTED = ProtectionConfig()
PAIR = ProtectionConfig(stop_loss_pct=Decimal(10), take_profit_pct=Decimal(10))


@dataclass(slots=True)
class Venue:
    """A running exchange of perpetuals and the account's door to it."""

    exchange: Exchange
    gateway: UsdmGateway
    http: aiohttp.ClientSession

    async def misbehave(self, **wish: object) -> None:
        async with self.http.post("/sim/misbehave", json=wish) as answer:
            assert answer.status == 200, await answer.text()

    async def submissions(self) -> dict[str, int]:
        async with self.http.get("/sim/perpetual/orders") as answer:
            return cast("dict[str, int]", (await answer.json())["submissions"])

    async def waiting(self) -> list[dict[str, object]]:
        async with self.http.get("/sim/perpetual/orders") as answer:
            rows = cast("list[dict[str, object]]", (await answer.json())["algo_orders"])
        return [row for row in rows if row["algoStatus"] == "NEW"]

    async def quantity(self) -> Decimal:
        held = (await self.gateway.positions()).get(PERP)
        return Decimal(0) if held is None else held.quantity

    async def get_flat(self) -> None:
        """Close what a test before left, in as many orders as the book asks for."""
        for _ in range(20):
            held = await self.quantity()
            if not held:
                return
            await self.gateway.submit(
                OrderRequest(_name(), PERP, way_out(held), "market", "IOC", abs(held), None, True)
            )
        raise AssertionError("what was left could not be closed")


def config_of(exchange: Exchange) -> VenueConfig:
    return config_at(exchange.address)


def config_at(address: str) -> VenueConfig:
    return VenueConfig.model_validate(
        {
            "protocol": "binanceusdm",
            "rest_url": address,
            "ws_url": address.replace("http", "ws"),
            "api_key": "key",
            "api_secret": "secret",
            "request_timeout_s": 1.0,
        }
    )


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def exchange(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Exchange]:
    """One exchange for all tests here, for it takes seconds to start; each test leaves it flat and without orders."""
    perpetuals = PerpetualOptions(wallet=Decimal(20_000), funding=Funding(Decimal("0.0001"), FUNDING_MS))
    options = ExchangeOptions(
        tmp_path_factory.mktemp("exchange"), port=0, keys=Keys("key", "secret"), perpetuals=perpetuals
    )
    one = Exchange(options, CLOCK)
    await one.start()
    running = asyncio.create_task(one.run())
    yield one
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await one.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def there(exchange: Exchange) -> AsyncIterator[Venue]:
    gateway = UsdmGateway("sim", config_of(exchange), CLOCK, LEVERAGE)
    await gateway.connect([PERP])
    async with aiohttp.ClientSession(exchange.address) as http:
        yield Venue(exchange, gateway, http)
    await gateway.close()


async def test_the_venue_of_contracts_says_how_it_is_and_how_often_it_lets_itself_be_asked(there: Venue) -> None:
    await there.gateway.look_around([PERP])
    assert there.gateway.obstacle(PERP) is None
    limits = {(rate.kind, rate.interval_s): limit for rate, _, limit in there.gateway.rates()}
    assert limits["weight", 60] == 2_400
    used = {rate.kind: used for rate, used, _ in there.gateway.rates()}
    assert used["weight"] > 0, "the answers' headers were read"
    await there.misbehave(kind="maintenance", count=10)
    with pytest.raises(VenueUnavailable):
        await there.gateway.look_around([PERP])
    assert there.gateway.obstacle(PERP) == "venue_maintenance"
    async with there.http.delete("/sim/misbehave"):
        await there.gateway.look_around([PERP])
    assert there.gateway.obstacle(PERP) is None


@pytest.mark.parametrize("case", [*CONTRACT, *PERPETUALS_CONTRACT], ids=lambda case: case.__name__)
async def test_the_contract_holds_over_ccxt_on_perpetuals(
    case: Callable[[ContractBench], Awaitable[None]], there: Venue
) -> None:
    await there.get_flat()
    await case(
        ContractBench(
            gateway=there.gateway,
            symbol=PERP,
            quantity=QUANTITY,
            break_next_submit=lambda: there.misbehave(kind="accept_timeout", on="order"),
            name=_name,
        )
    )


def _name() -> str:
    return client_order_id(DecisionName("contract", STRATEGY, 1, PERP, uuid4().int))


def a_trader(
    there: Venue,
    control: ControlStore,
    account: str,
    reader: StaticReader,
    protection: ProtectionConfig = UNPROTECTED,
) -> Trader:
    return a_trader_at(there.gateway, control, account, reader, protection)


def a_trader_at(
    gateway: UsdmGateway,
    control: ControlStore,
    account: str,
    reader: StaticReader,
    protection: ProtectionConfig = UNPROTECTED,
) -> Trader:
    config = TradingConfig(
        account=account,
        leverage=LEVERAGE,
        protection=protection,
        strategies=(StrategyConfig(name=STRATEGY, max_position_quote=Decimal(2_000), symbols=(PERP,)),),
        risk=RiskConfig(order_notional_quote_max=Decimal(2_500), duplicate_s=None),
        slippage_max=Decimal("0.005"),
        unknown_visibility_s=0.5,
        unknown_poll_s=0.05,
        lease_s=10.0,
        cycle_s=0.2,
    )
    return Trader(
        TraderParts(
            config=config,
            symbols=(PERP,),
            control=control,
            gateway=gateway,
            reader=reader,
            clock=CLOCK,
            instance=uuid4().hex,
            request_s_max=2.0,
        )
    )


async def wished(gateway: UsdmGateway, target: float) -> MarketSeen:
    """The market now, and a signal of this moment."""
    mark = (await gateway.marks([PERP]))[PERP]
    now_ns = CLOCK.now_ns()
    quote = QuoteSeen(mark - Decimal("0.1"), mark + Decimal("0.1"), now_ns)
    return MarketSeen({(STRATEGY, 1, PERP): SignalSeen(now_ns, now_ns, target, 1.0)}, {PERP: quote}, {PERP: mark})


async def step(there: Venue, trader: Trader, reader: StaticReader, target: float) -> str:
    await asyncio.sleep(0.3)  # into a slot of its own
    reader.market = await wished(there.gateway, target)
    (decision,) = await trader.cycle.run()
    return f"{decision.action} {decision.reason}"


async def test_a_session_goes_short_is_paid_flips_dies_and_ends_flat(
    there: Venue, control: ControlStore, venue: str
) -> None:
    await there.get_flat()
    reader = StaticReader()
    first = a_trader(there, control, venue, reader)
    await first.leadership.wait()
    await first.begin()
    begun = first.account.cash.total
    assert await step(there, first, reader, -1.0) == "sell to_target"
    assert first.ledger.portfolio.quantity(PERP) == await there.quantity() < 0
    async with asyncio.timeout(4 * FUNDING_MS / 1_000):
        while not await sweep_funding(first.account):
            await asyncio.sleep(0.2)
    assert first.account.worth().funding_quote > 0, "who is short receives at a rate above 0"
    assert await step(there, first, reader, 1.0) == "buy closing_before_flip"
    assert await there.quantity() == 0
    await there.misbehave(kind="accept_timeout", on="order")
    assert await step(there, first, reader, 1.0) == "buy to_target"
    assert first.desk.orders()[0].state is OrderState.UNKNOWN
    del first  # it says goodbye to nobody: its lease runs out

    second = a_trader(there, control, venue, reader)
    await second.leadership.wait()
    await second.begin()
    assert second.desk.orders() == []
    assert second.ledger.portfolio.quantity(PERP) == await there.quantity() > 0
    assert second.states.effective is TradingState.ACTIVE
    outcome = await second.commander.flatten(Order("test", "end of session"))
    assert outcome["left"] == {}
    assert await there.quantity() == 0
    await sweep_funding(second.account)
    await second.account.refresh_balances()
    gained = second.account.cash.total - begun
    assert abs(gained - second.account.worth().pnl_quote) < Decimal("0.00001"), "the wallet is the book's profit"
    assert set((await there.submissions()).values()) == {1}, "nothing was sent twice"


async def test_a_short_is_protected_over_ccxt_through_a_lost_answer_and_a_death_and_nothing_stays_behind(
    there: Venue, control: ControlStore, venue: str
) -> None:
    """What protects it is taken, found again at its own door by another process, lifted, and gone in the end."""
    await there.get_flat()
    reader = StaticReader()
    first = a_trader(there, control, venue, reader, PAIR)
    await first.leadership.wait()
    await first.begin()
    await there.misbehave(kind="accept_timeout", on="POST /fapi/v1/algoOrder")
    assert await step(there, first, reader, -1.0) == "sell to_target"
    held = first.ledger.portfolio.quantity(PERP)
    states = {order.state for order in first.desk.protecting(PERP, STRATEGY)}
    assert OrderState.UNKNOWN in states
    del first  # it says goodbye to nobody: its lease runs out

    second = a_trader(there, control, venue, reader, PAIR)
    await second.leadership.wait()
    await second.begin()
    async with asyncio.timeout(20):
        while len(await there.waiting()) != 2 or second.desk.in_doubt:
            await second.follow_once(0.0)
            await asyncio.sleep(0.2)
    asked = [(row["side"], row["orderType"], row["reduceOnly"]) for row in await there.waiting()]
    assert sorted(asked) == [("BUY", "STOP_MARKET", True), ("BUY", "TAKE_PROFIT_MARKET", True)]
    assert {Decimal(str(row["quantity"])) for row in await there.waiting()} == {-held}
    assert await step(there, second, reader, 0.0) == "buy closing"
    assert await there.waiting() == [], "what protected it gave way"
    assert await there.quantity() == 0
    assert second.states.effective is TradingState.ACTIVE
    assert set((await there.submissions()).values()) == {1}, "nothing was sent twice"


async def test_a_trader_killed_while_its_short_is_on_its_way_is_followed_by_one_that_finds_it(
    there: Venue, tmp_path: Path, venue: str
) -> None:
    await there.get_flat()
    before = await there.submissions()
    await there.misbehave(kind="accept_timeout", on="order")
    url = f"sqlite:///{tmp_path / 'control.db'}"
    script = Path(__file__).with_name("trader_on_perpetuals.py")
    words = (str(script), there.exchange.address, url, venue)
    process = await asyncio.create_subprocess_exec(sys.executable, *words, env=os.environ | {"PYTHONPATH": os.getcwd()})
    async with asyncio.timeout(60):
        while len(await there.submissions()) == len(before):
            assert process.returncode is None, "it ends by no other hand"
            await asyncio.sleep(0.02)
    process.kill()
    await process.wait()

    with closing(ControlStore.open(url)) as control:
        reader = StaticReader()
        second = a_trader(there, control, venue, reader)
        await second.leadership.wait()
        await second.begin()
        assert second.desk.orders() == []
        assert second.ledger.portfolio.quantity(PERP) == await there.quantity() < 0
        outcome = await second.commander.flatten(Order("test", "found again"))
        assert outcome["left"] == {}
        assert await there.quantity() == 0
        assert set((await there.submissions()).values()) == {1}


async def test_keys_of_a_venue_of_perpetuals_are_looked_at_and_taken_up(exchange: Exchange) -> None:
    right = config_of(exchange)
    gateway = UsdmGateway("sim", right.model_copy(update={"api_secret": SecretStr("old")}), CLOCK, LEVERAGE)
    change = KeyChange(gateway, "sim", CLOCK)
    change.wish(right, real=True)
    await change.settled()
    await gateway.close()
    assert gateway.signs_with(right)
