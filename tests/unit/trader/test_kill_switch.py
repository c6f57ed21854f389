"""Goal: trading stops by itself for the right causes; who said it takes it back, and HALTED only a person."""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.errors import StoreUnavailable
from tests.unit.trader.conftest import BTC, STRATEGY, Bench
from trader.alerts import Alert, firing
from trader.command_log import Order
from trader.commander import NotLeading
from trader.execution.state import HEALTH, RECONCILE
from trader.risk import TradingState
from trader.runtime import Trader
from trader.venues.gateway import OrderRequest

ADA = Order("ada", "explained")
DRAWDOWN = Alert("1a30ba71cca2921f", "2026-11-23T20:05:03.828Z", "TradingDrawdown", "halt", "down 5 %")
SLIPPAGE = Alert("2b30ba71cca2921f", "2026-11-23T20:05:03.828Z", "Slippage", "reduce", "")


def said(trader: Trader) -> tuple[str, str]:
    return trader.states.current.state.value, trader.states.current.actor


async def cycles(bench: Bench, trader: Trader, seconds: int) -> None:
    """Let time pass with a cycle and a probe each five seconds and a look each second."""
    for second in range(seconds):
        await bench.advance(1)
        if second % 5 == 0:
            bench.market(target=0.0)
            await trader.cycle.run()
            await trader.watch.probe()
        await trader.watch.look()


async def resting_order(bench: Bench, trader: Trader) -> str:
    """The id of an order of ours that stands at the venue."""
    bench.market(target=1.0)
    bench.venue.faults.append("lost")
    (decision,) = await trader.cycle.run()
    assert decision.client_order_id is not None
    bench.venue.rest(OrderRequest(decision.client_order_id, BTC, "buy", "limit", "GTC", Decimal("0.08"), Decimal(1)))
    return decision.client_order_id


async def test_without_a_sign_of_life_trading_is_halted_and_open_orders_cancelled(bench: Bench) -> None:
    bench.configure(dead_man_s=10.0)
    trader = await bench.trader()
    order_id = await resting_order(bench, trader)
    trader.life.sign()
    await bench.advance(9)
    await trader.watch.look()
    assert said(trader) == ("ACTIVE", RECONCILE)
    await trader.leadership.renew()
    await bench.advance(2)
    await trader.watch.look()
    assert said(trader) == ("HALTED", "dead_man")
    assert trader.states.current.reason == "no sign of life within 10 s"
    assert bench.venue.cancels == [order_id]
    assert bench.rows("commands")[-1].symbols["actor"] == "dead_man"


async def test_signs_of_life_keep_it_trading_and_a_resume_is_one(bench: Bench) -> None:
    bench.configure(dead_man_s=10.0)
    trader = await bench.trader()
    for _ in range(5):
        await bench.advance(8)
        assert await trader.commander.alive(ADA) == {"state": "ACTIVE", "next_within_s": 10.0}
        await trader.watch.look()
    await bench.advance(11)
    await trader.watch.look()
    assert said(trader) == ("HALTED", "dead_man")
    await trader.commander.alive(ADA)
    await trader.watch.look()
    assert said(trader) == ("HALTED", "dead_man"), "a sign of life is no resume"
    await bench.advance(60)
    await trader.commander.resume(ADA)
    await trader.watch.look()
    assert said(trader) == ("ACTIVE", "ada")


async def test_a_dead_man_halt_is_said_once(bench: Bench) -> None:
    bench.configure(dead_man_s=1.0)
    trader = await bench.trader()
    for _ in range(3):
        await bench.advance(2)
        await trader.watch.look()
    assert [row.symbols["state"] for row in bench.rows("trading_state")] == ["ACTIVE", "HALTED"]


async def test_without_the_setting_nobody_needs_to_be_there(bench: Bench) -> None:
    trader = await bench.trader()
    await bench.advance(100_000)
    await trader.watch.look()
    assert said(trader) == ("ACTIVE", RECONCILE)


async def test_a_database_that_stays_away_reduces_and_its_return_takes_that_back(bench: Bench) -> None:
    trader = await bench.trader()
    bench.reader.error = StoreUnavailable("QuestDB is away")
    await cycles(bench, trader, 55)
    assert said(trader) == ("ACTIVE", RECONCILE)
    await cycles(bench, trader, 10)
    assert said(trader) == ("REDUCING", HEALTH)
    assert "QuestDB is away for more than 60 s" in trader.states.current.reason
    bench.reader.error = None
    await cycles(bench, trader, 6)
    assert said(trader) == ("ACTIVE", HEALTH)


async def test_a_venue_that_stays_away_reduces_until_it_answers(bench: Bench) -> None:
    bench.configure(venue_grace_s=10.0)
    trader = await bench.trader()
    bench.venue.away = True
    await cycles(bench, trader, 20)
    assert said(trader) == ("REDUCING", HEALTH)
    assert "the venue is away for more than 10 s" in trader.states.current.reason
    bench.venue.away = False
    await cycles(bench, trader, 6)
    assert said(trader) == ("ACTIVE", HEALTH)


async def test_two_outages_are_taken_back_when_both_are_over(bench: Bench) -> None:
    bench.configure(venue_grace_s=10.0, storage_grace_s=10.0)
    trader = await bench.trader()
    bench.venue.away, bench.reader.error = True, StoreUnavailable("QuestDB is away")
    await cycles(bench, trader, 20)
    bench.reader.error = None
    await cycles(bench, trader, 10)
    assert said(trader) == ("REDUCING", HEALTH)
    bench.venue.away = False
    await cycles(bench, trader, 6)
    assert said(trader) == ("ACTIVE", HEALTH)


@pytest.mark.parametrize("state", [TradingState.HALTED, TradingState.REDUCING])
async def test_what_a_person_said_is_not_taken_back_by_health(bench: Bench, state: TradingState) -> None:
    trader = await bench.trader()
    await trader.states.change(state, "ada", "odd", bench.clock.now_ns())
    for unwell in ("the venue is away", None):
        await trader.states.examined(unwell, bench.clock.now_ns())
        assert said(trader) == (state.value, "ada")


async def test_missing_coins_found_during_an_outage_outlast_it(bench: Bench) -> None:
    trader = await bench.trader()
    now_ns = bench.clock.now_ns()
    await trader.states.examined("the venue is away", now_ns)
    await trader.states.reconciled(short="BTC: book 1, venue 0", now_ns=now_ns)
    await trader.states.examined(None, now_ns)
    assert said(trader) == ("REDUCING", RECONCILE)
    await trader.states.reconciled(short=None, now_ns=now_ns)
    assert said(trader) == ("ACTIVE", RECONCILE)


async def test_an_outage_that_began_while_coins_were_missing_outlasts_that(bench: Bench) -> None:
    trader = await bench.trader()
    now_ns = bench.clock.now_ns()
    await trader.states.reconciled(short="BTC: book 1, venue 0", now_ns=now_ns)
    await trader.states.examined("the venue is away", now_ns)
    await trader.states.reconciled(short=None, now_ns=now_ns)
    assert said(trader) == ("REDUCING", HEALTH)
    await trader.states.examined(None, now_ns)
    assert said(trader) == ("ACTIVE", HEALTH)


async def test_a_halt_that_comes_in_between_is_never_overwritten(bench: Bench) -> None:
    """Health read ACTIVE, then another process halts, then health writes: the halt stays."""
    trader, other = await bench.trader(), bench.build()
    real, met = trader.states._append, False

    async def overtaken(*args: object) -> None:
        nonlocal met
        if not met:
            met = True
            await other.states.change(TradingState.HALTED, "ada", "odd", bench.clock.now_ns())
        await real(*args)  # type: ignore[arg-type]

    trader.states._append = overtaken  # type: ignore[method-assign]
    await trader.states.examined("the venue is away", bench.clock.now_ns())
    assert met
    assert said(trader) == ("HALTED", "ada")


async def test_an_alert_halts_once_for_each_firing_even_across_a_restart(bench: Bench) -> None:
    trader = await bench.trader()
    order_id = await resting_order(bench, trader)
    outcome = await trader.commander.alerts([DRAWDOWN])
    assert outcome == {"state": "HALTED", "taken": ["TradingDrawdown"], "repeated": 0}
    assert (said(trader), trader.states.current.reason) == (("HALTED", "alert"), "TradingDrawdown: down 5 %")
    assert bench.venue.cancels == [order_id]
    await trader.commander.resume(ADA)
    successor = await bench.trader()
    assert (await successor.commander.alerts([DRAWDOWN]))["state"] == "ACTIVE", "a person knows of this firing"
    again = Alert(DRAWDOWN.fingerprint, "2026-11-24T00:00:00Z", DRAWDOWN.name, "halt", "")
    assert (await successor.commander.alerts([again]))["state"] == "HALTED"


async def test_an_alert_reduces_and_only_a_person_takes_it_back(bench: Bench) -> None:
    trader = await bench.trader()
    assert (await trader.commander.alerts([SLIPPAGE, SLIPPAGE]))["repeated"] == 1
    await trader.states.examined("away", bench.clock.now_ns())
    await trader.states.examined(None, bench.clock.now_ns())
    await trader.states.reconciled(short=None, now_ns=bench.clock.now_ns())
    assert said(trader) == ("REDUCING", "alert")
    await trader.commander.resume(ADA)
    assert said(trader) == ("ACTIVE", "ada")


async def test_an_alert_never_loosens_a_halt(bench: Bench) -> None:
    trader = await bench.trader()
    await trader.commander.halt(ADA)
    await trader.commander.alerts([SLIPPAGE, DRAWDOWN])
    assert said(trader) == ("HALTED", "ada")


async def test_who_does_not_lead_halts_at_an_alert_and_leaves_the_cancels_to_the_leader(bench: Bench) -> None:
    trader = await bench.trader()
    order_id = await resting_order(bench, trader)
    await bench.build().commander.alerts([DRAWDOWN])
    assert bench.venue.cancels == []
    await trader.follow_once(0)
    assert bench.venue.cancels == [order_id]


async def test_an_alert_flattens_once_and_where_another_one_leads_it_is_asked_again(bench: Bench) -> None:
    trader = await bench.trader()
    crash = Alert("2b30ba71cca2921f", DRAWDOWN.starts_at, "Crash", "flatten", "")
    with pytest.raises(NotLeading):
        await bench.build().commander.alerts([crash])
    assert (await trader.commander.alerts([crash]))["taken"] == ["Crash"], "it was not done yet"
    assert said(trader) == ("HALTED", "alert")
    assert (await trader.commander.alerts([crash]))["repeated"] == 1


def notification(**changes: object) -> dict[str, object]:
    """An alert as Alertmanager tells it."""
    alert = {
        "status": "firing",
        "labels": {"alertname": "TradingDrawdown", "action": "halt"},
        "annotations": {"summary": "down 5 %"},
        "startsAt": DRAWDOWN.starts_at,
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example.org:9090/graph",
        "fingerprint": DRAWDOWN.fingerprint,
    }
    return {"receiver": "trader", "status": "firing", "version": "4", "alerts": [{**alert, **changes}]}


def test_a_firing_alert_with_an_action_is_read() -> None:
    assert firing(orjson.dumps(notification())) == [DRAWDOWN]


@pytest.mark.parametrize("changes", [{"status": "resolved"}, {"labels": {"alertname": "ForPeople"}}])
def test_alerts_that_ask_for_nothing_are_left_to_people(changes: dict[str, object]) -> None:
    assert firing(orjson.dumps(notification(**changes))) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": {"action": "sell"}}, r"alerts\[0\].labels.action = 'sell': not one of halt, reduce, flatten"),
        ({"fingerprint": ""}, "fingerprint and startsAt"),
        ({"startsAt": 7}, "fingerprint and startsAt"),
        ({"labels": {"action": 1}}, r"alerts\[0\].labels: an object of texts"),
        ({"annotations": []}, r"alerts\[0\].annotations: an object of texts"),
    ],
)
def test_an_alert_that_makes_no_sense_is_named(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        firing(orjson.dumps(notification(**changes)))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"alerts": 1}', b'{"alerts": [1]}'])
def test_what_is_no_notification_is_named(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"expected|JSON|empty|unexpected"):
        firing(body)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)
_ALERT = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["firing", "resolved"]) | _JSON,
        "labels": st.dictionaries(st.sampled_from(["action", "alertname"]), st.sampled_from(["halt", "x"]) | _JSON),
        "annotations": _JSON,
        "startsAt": st.text(max_size=5) | _JSON,
        "fingerprint": st.text(max_size=5) | _JSON,
    },
)


@given(st.lists(_ALERT, max_size=4))
def test_any_notification_is_alerts_that_can_be_acted_upon_or_a_value_error(alerts: list[dict[str, object]]) -> None:
    try:
        found = firing(orjson.dumps({"alerts": alerts}))
    except ValueError:
        return
    assert all(alert.action in ("halt", "reduce") and alert.fingerprint and alert.starts_at for alert in found)
    assert len(found) <= len(alerts)


async def test_a_strategy_that_rests_and_a_halt_are_both_said_by_why(bench: Bench) -> None:
    trader = await bench.trader()
    await trader.commander.pause(ADA, STRATEGY)
    bench.market(target=1.0)
    await trader.cycle.run()
    await trader.commander.halt(Order("bob", "odd"))
    told = await trader.commander.why(BTC)
    (line,) = told["lines"]  # type: ignore[misc]
    assert "HALTED since" in str(line)
    assert "by bob: odd" in str(line)
    assert "by ada: explained" in str(line)
