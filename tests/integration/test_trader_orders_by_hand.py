"""Goal: `ares trader pause|cancel|preview|order|alive|why` and Alertmanager's webhook, over the real port and store."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest
from typer.testing import Result

from ares.clock import SystemClock
from ares.config.trading import StrategyConfig, TradingConfig
from ares.control import ControlStore
from ares.errors import AresError, OperatingError, UsageError
from tests.integration.test_trader_control import BTC, ares, bearer
from trader.control_port import ControlPort
from trader.parts import TraderParts
from trader.reader import MarketSeen, QuoteSeen, SignalSeen
from trader.runtime import Trader
from trader.testing import PaperVenue, StaticReader

CLOCK = SystemClock()
MOMENTUM = "signal_momentum"


def market(target: float) -> MarketSeen:
    now_ns, mark = CLOCK.now_ns(), Decimal(50_000)
    signals = {(MOMENTUM, 1, BTC): SignalSeen(now_ns, now_ns, target, 1.0)}
    return MarketSeen(signals, {BTC: QuoteSeen(mark, mark, now_ns)}, {BTC: mark})


@pytest.fixture
def paper() -> PaperVenue:
    return PaperVenue(CLOCK, {BTC: Decimal(50_000)}, {"USDT": Decimal(20_000), "BTC": Decimal("0.02")})


@pytest.fixture
async def trader(control: ControlStore, paper: PaperVenue, tmp_path: Path) -> AsyncIterator[Trader]:
    """A trader that leads, has reconciled and answers on its port."""
    config = TradingConfig(
        strategies=(StrategyConfig(name=MOMENTUM, max_position_quote=Decimal(4_000)),), dead_man_s=30.0
    )
    parts = TraderParts(
        config=config,
        symbols=(BTC,),
        control=control,
        gateway=paper,
        reader=StaticReader(replace(market(0.0), signals={})),
        clock=CLOCK,
        instance="one",
        request_s_max=1.0,
    )
    trader = Trader(parts)
    await trader.leadership.wait()
    await trader.begin()
    door = ControlPort(trader.commander, tmp_path, "127.0.0.1", 0)
    await door.start()
    yield trader
    await door.stop()


LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:")


def printed(done: Result) -> str:
    """What a command printed; the trader of this process logs to the same stream."""
    return "".join(line for line in done.stdout.splitlines(keepends=True) if not LOG_LINE.match(line))


def refused(done: Result, kind: type[AresError]) -> str:
    """The one line of a user's or the world's error."""
    assert isinstance(done.exception, kind), done.output
    return str(done.exception)


async def test_a_strategy_rests_and_trades_again_by_command(trader: Trader, tmp_path: Path) -> None:
    paused = await ares(tmp_path, "pause", MOMENTUM, "--reason", "new model")
    assert "pause: done" in printed(paused)
    assert "rests since" in printed(await ares(tmp_path, "status"))
    (decision,) = await trader.cycle.run()
    assert decision.reason == "paused"
    why = await ares(tmp_path, "why", BTC)
    assert f"{MOMENTUM} {BTC}: the strategy rests: since" in printed(why)
    assert "new model" in printed(why)
    resumed = json.loads(printed(await ares(tmp_path, "resume", MOMENTUM, "--json")))
    assert (resumed["changed"], resumed["paused"]) == (True, [])
    assert trader.states.current.state.value == "ACTIVE"


async def test_an_order_by_hand_rests_is_listed_and_cancelled_by_command(
    trader: Trader, paper: PaperVenue, tmp_path: Path
) -> None:
    asked = ("order", BTC, "buy", "0.01", "--price", "49900", "--reason", "hedge", "--id", "hedge-1")
    sent = await ares(tmp_path, *asked)
    assert (sent.exit_code, printed(sent).split(":")[0]) == (0, "ACCEPTED")
    again = json.loads(printed(await ares(tmp_path, *asked, "--json")))
    assert (again["repeated"], list(paper.submissions.values())) == (True, [1])
    listed = json.loads(printed(await ares(tmp_path, "status", "--json")))["orders_open"]
    assert [each["order_id"] for each in listed] == [again["order_id"]]
    ended = json.loads(printed(await ares(tmp_path, "cancel", again["order_id"], "--json")))
    assert ended["order_state"] == "CANCELED"
    assert "cancels_asked 0" in printed(await ares(tmp_path, "cancel", "--all"))


async def test_an_order_is_replaced_by_command_and_asked_for_again_it_is_the_same_one(
    trader: Trader, paper: PaperVenue, tmp_path: Path
) -> None:
    asked = ("order", BTC, "buy", "0.01", "--price", "49900", "--reason", "hedge", "--id", "hedge-1")
    first = json.loads(printed(await ares(tmp_path, *asked, "--json")))["order_id"]
    change = ("amend", first, "--price", "49800", "--quantity", "0.02", "--reason", "cheaper")
    done = await ares(tmp_path, *change)
    assert done.exit_code == 0
    assert f"{first} is cancelled, 0 of it was filled" in printed(done)
    assert f"ACCEPTED: buy 0.02 {BTC} at 49800 for manual" in printed(done)
    again = json.loads(printed(await ares(tmp_path, *change, "--json")))
    assert (again["repeated"], again["replaces"], len(paper.submissions)) == (True, first, 2)
    over = await ares(tmp_path, "amend", first, "--price", "49700", "--reason", "cheaper still")
    assert "it is CANCELED already" in refused(over, UsageError)


async def test_a_change_that_did_not_come_about_says_why_and_exits_with_1(
    trader: Trader, paper: PaperVenue, tmp_path: Path
) -> None:
    asked = ("order", BTC, "buy", "0.02", "--price", "49900", "--reason", "hedge", "--id", "hedge-1", "--json")
    first = json.loads(printed(await ares(tmp_path, *asked)))["order_id"]
    smaller = await ares(tmp_path, "amend", first, "--quantity", "0.01", "--reason", "less")
    assert smaller.exit_code == 1
    assert f"not amended: {first}: this venue makes no {BTC} order 0.01" in printed(smaller)
    larger = await ares(tmp_path, "amend", first, "--quantity", "0.2", "--reason", "more")
    assert larger.exit_code == 1
    assert printed(larger).startswith(f"refused: buy 0.2 {BTC} at 49900")
    paper.faults.append("reject")
    replaced = await ares(tmp_path, "amend", first, "--quantity", "0.03", "--reason", "more")
    assert replaced.exit_code == 1
    assert f"{first} is cancelled" in printed(replaced)
    assert "REJECTED: buy 0.03" in printed(replaced)


async def test_a_preview_shows_every_rule_and_sends_nothing(trader: Trader, paper: PaperVenue, tmp_path: Path) -> None:
    shown = await ares(tmp_path, "preview", BTC, "sell", "0.01")
    assert shown.exit_code == 0
    assert "would not be sent" in printed(shown)
    assert "HeldQuantity" in printed(shown)
    told = json.loads(printed(await ares(tmp_path, "preview", BTC, "buy", "0.01", "--json")))
    assert (told["would_send"], Decimal(told["cost_quote"])) == (True, 500)
    assert not paper.submissions


async def test_a_refused_order_is_one_line_and_exit_code_1(trader: Trader, tmp_path: Path) -> None:
    await ares(tmp_path, "halt", "--reason", "odd")
    done = await ares(tmp_path, "order", BTC, "buy", "0.01", "--reason", "hedge")
    assert done.exit_code == 1
    assert printed(done).count("\n") == 1
    assert printed(done).startswith(f"refused: buy 0.01 {BTC}")
    assert "TradingStateRule" in printed(done)
    told = await ares(tmp_path, "order", BTC, "buy", "0.01", "--reason", "hedge", "--json")
    assert (told.exit_code, json.loads(printed(told))["action"]) == (1, "refuse")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pause", "nope"], ["strategy = 'nope'", "Known: signal_momentum"]),
        (["resume", "nope"], ["strategy = 'nope'", "Known: signal_momentum"]),
        (["cancel", "ares1"], ["order = 'ares1'", "no such order"]),
        (["cancel"], ["order_id = ''", "--all"]),
        (["cancel", "ares1", "--all"], ["order_id = 'ares1'", "--all"]),
        (["order", BTC, "buy", "0.000001", "--reason", "x"], ["quantity = 0.000001", "amount step 0.00001"]),
        (["amend", "ares1", "--reason", "x"], ["quantity = ''", "Say what to change"]),
        (["amend", "ares1", "--price", "1", "--reason", "x"], ["order = 'ares1'", "no such order"]),
        (["amend", "ares1", "--price", "x", "--reason", "x"], ["price = 'x'", "not a number above 0"]),
        (["order", BTC, "hold", "1", "--reason", "x"], ["side = 'hold'", "neither buy nor sell"]),
        (["preview", BTC, "buy", "many"], ["quantity = 'many'", "Example: 0.001"]),
        (["preview", "NO/SUCH", "buy", "1"], ["symbol = 'NO/SUCH'", f"Known: {BTC}"]),
        (["why", "NO/SUCH"], ["symbol = 'NO/SUCH'", f"Known: {BTC}"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
async def test_what_cannot_be_done_names_field_value_and_way_out(
    trader: Trader, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    done = await ares(tmp_path, *arguments)
    said = refused(done, UsageError)
    assert all(word in said for word in words), said
    assert "\n" not in said
    assert isinstance(done.exception, AresError)
    assert done.exception.exit_code == 2


async def test_alive_says_when_the_next_sign_is_due(trader: Trader, tmp_path: Path) -> None:
    assert "next_within_s 30.0" in printed(await ares(tmp_path, "alive"))


async def test_why_tells_each_strategy_what_it_waits_for(trader: Trader, tmp_path: Path) -> None:
    first = json.loads(printed(await ares(tmp_path, "why", "--json")))
    assert [line["why"] for line in first["lines"]] == ["nothing was decided yet"]
    await trader.cycle.run()
    assert "no signal within the last hour" in printed(await ares(tmp_path, "why"))
    await ares(tmp_path, "halt", "--reason", "odd fills")
    why = printed(await ares(tmp_path, "why"))
    assert "HALTED since" in why
    assert ": odd fills; no signal within the last hour" in why


async def test_alertmanager_halts_with_the_token_once_and_without_it_never(trader: Trader, tmp_path: Path) -> None:
    alert = {
        "status": "firing",
        "labels": {"alertname": "TradingDrawdown", "action": "halt"},
        "annotations": {"summary": "down 5 %"},
        "startsAt": "2026-11-23T20:05:03.828Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": "1a30ba71cca2921f",
    }
    body = {"version": "4", "status": "firing", "receiver": "trader", "alerts": [alert]}
    headers = bearer(tmp_path)
    address = (tmp_path / "run" / "trader.address").read_text(encoding="utf-8")
    async with aiohttp.ClientSession(f"http://{address}") as http:
        async with http.post("/alerts", json=body) as answer:
            assert answer.status == 401
        assert (await trader.states.refresh()).state.value == "ACTIVE"
        async with http.post("/alerts", json=body, headers=headers) as answer:
            assert (await answer.json())["taken"] == ["TradingDrawdown"]
        async with http.post("/alerts", json=body, headers=headers) as answer:
            assert (await answer.json())["repeated"] == 1
        async with http.post("/alerts", data=b'{"alerts": 1}', headers=headers) as answer:
            assert (answer.status, (await answer.json())["error"]) == (400, "usage")
    assert trader.states.current.reason == "TradingDrawdown: down 5 %"


async def test_without_trader_and_database_why_says_what_does_not_answer(tmp_path: Path) -> None:
    done = await ares(tmp_path, "why")
    assert "QuestDB" in refused(done, OperatingError)
