"""Real money is traded when the settings say so, two people agreed to these very terms, and the key can do no more."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from ares.clock import SystemClock
from ares.commands.who import operator
from ares.config.settings import AresConfig, EnvironmentConfig, VenueConfig
from ares.config.trading import RiskConfig, StrategyConfig, TradingConfig
from ares.control import ControlStore
from ares.errors import ConfigError, UsageError, VenueRejected
from trader.command_log import Order
from trader.commander import NotAgreed
from trader.execution.state import GATE
from trader.live.agreements import Agreements
from trader.live.commands import app
from trader.live.gate import require_harmless_key
from trader.live.settings import is_real, require_meant, terms_of
from trader.risk import TradingState
from trader.testing import PaperVenue
from trader.venues.gateway import KeyRights

from .conftest import Bench

CHOSEN = RiskConfig(
    order_notional_quote_max=Decimal(1_000),
    position_quote_max=Decimal(5_000),
    gross_exposure_quote_max=Decimal(9_000),
    daily_loss_quote_max=Decimal(100),
)
TRADING = TradingConfig(
    venue="binance",
    account="main",
    live=True,
    risk=CHOSEN,
    strategies=(StrategyConfig(name="signal_momentum", max_position_quote=Decimal(4_000)),),
)
REAL = AresConfig(environment=EnvironmentConfig(profile="prod"), trading=TRADING, venues={"binance": VenueConfig()})


def with_trading(**changes: object) -> AresConfig:
    return REAL.model_copy(update={"trading": TRADING.model_copy(update=changes)})


@pytest.mark.parametrize(
    ("venue", "real"),
    [
        (VenueConfig(), True),
        (VenueConfig(rest_url="https://api.binance.com", ws_url="wss://stream.binance.com:9443"), True),
        (VenueConfig(rest_url="http://10.0.0.7:8900", ws_url="ws://10.0.0.7:8900"), True),
        (VenueConfig(rest_url="http://127.0.0.1:8900"), True),
        (VenueConfig(ws_url="ws://127.0.0.1:8900"), True),
        (VenueConfig(rest_url="http://127.0.0.1:8900", ws_url="ws://127.0.0.1:8900"), False),
        (VenueConfig(rest_url="http://localhost:8900", ws_url="ws://localhost:8900"), False),
        (VenueConfig(rest_url="http://[::1]:8900", ws_url="ws://[::1]:8900"), False),
        (VenueConfig(rest_url="https://testnet.example", ws_url="wss://testnet.example", play_money=True), False),
    ],
)
def test_money_moves_at_every_venue_that_is_not_this_machine_or_said_to_be_a_test(
    venue: VenueConfig, *, real: bool
) -> None:
    assert is_real(venue) is real


def test_settings_that_mean_it_are_taken() -> None:
    require_meant(REAL)
    terms = terms_of(REAL)
    assert terms is not None
    assert terms.strategies == ("signal_momentum 1: 4000",)
    assert dict(terms.limits)["daily_loss_quote_max"] == "100"


@pytest.mark.parametrize(
    ("config", "field"),
    [
        (with_trading(live=False), "trading.live"),
        (with_trading(risk=RiskConfig(order_notional_quote_max=Decimal(1_000))), "trading.risk.position_quote_max"),
        (REAL.model_copy(update={"environment": EnvironmentConfig(profile="staging")}), "trading.venue"),
        (REAL.model_copy(update={"venues": {"binance": VenueConfig(play_money=True)}}), "trading.live"),
    ],
)
def test_settings_that_move_money_without_saying_so_or_say_so_in_vain_name_the_field(
    config: AresConfig, field: str
) -> None:
    with pytest.raises(ConfigError, match=field):
        require_meant(config)


def test_agreement_needs_two_people_and_holds_for_these_terms_alone(control: ControlStore) -> None:
    agreements = Agreements(control, "main", SystemClock())
    terms, more = (
        terms_of(REAL),
        terms_of(with_trading(risk=CHOSEN.model_copy(update={"daily_loss_quote_max": Decimal(900)}))),
    )
    assert terms is not None
    assert more is not None
    with pytest.raises(UsageError, match="nobody asked"):
        agreements.approve(terms, "bob", "fine")
    agreements.request(terms, "alice", "a month on paper")
    with pytest.raises(UsageError, match="alice"):
        agreements.approve(terms, "alice", "fine")
    with pytest.raises(UsageError, match="nobody asked"):
        agreements.approve(more, "bob", "fine")
    assert not agreements.current().covers(terms)
    agreed = agreements.approve(terms, "bob", "limits are right")
    assert (agreed.requested_by, agreed.approved_by) == ("alice", "bob")
    assert Agreements(control, "main", SystemClock()).current().covers(terms), "another process sees it"
    assert not agreed.covers(more)
    agreements.request(more, "alice", "more")
    assert not agreements.current().covers(terms), "what is asked for anew takes the place of what was agreed to"
    agreements.withdraw("carol", "no")
    assert agreements.current().state == "nothing"
    assert not Agreements(control, "other", SystemClock()).current().covers(terms)


def test_what_was_said_is_audited_with_who_why_and_the_terms(control: ControlStore) -> None:
    terms = terms_of(REAL)
    assert terms is not None
    Agreements(control, "main", SystemClock()).request(terms, "alice", "a month on paper")
    row = next(e.row for e in control.outbox(0, 100) if e.row.table == "audit")
    text = f"{row.symbols} {row.columns}"
    assert all(word in text for word in ("alice", "a month on paper", terms.digest, "daily_loss_quote_max"))


async def test_key_that_may_withdraw_or_not_trade_is_refused(bench: Bench) -> None:
    for rights, problem in (
        (KeyRights(trade=True, withdraw=True), "may withdraw"),
        (KeyRights(trade=False, withdraw=False), "may not trade"),
    ):
        bench.venue.key = rights
        with pytest.raises(ConfigError, match=f"venues.sim.api_key.*{problem}"):
            await require_harmless_key(bench.venue.rights(), "sim", real=False)


class Silent(PaperVenue):
    """A test venue that does not tell what keys may do, as Binance's has no `sapi`."""

    async def rights(self) -> KeyRights:
        raise VenueRejected("NotSupported", "no such endpoint")


async def test_venue_that_does_not_tell_is_good_enough_for_play_money_alone(bench: Bench) -> None:
    silent = Silent(bench.clock, prices={}, holdings={})
    await require_harmless_key(silent.rights(), "test", real=False)
    with pytest.raises(ConfigError, match="does not say"):
        await require_harmless_key(silent.rights(), "test", real=True)


async def test_trader_waits_for_two_people_and_reduces_once_its_terms_are_others(bench: Bench) -> None:
    terms = terms_of(REAL)
    assert terms is not None
    agreements = Agreements(bench.control, bench.config.account, bench.clock)
    trader = bench.build()
    trader.gate.terms = terms
    running = asyncio.create_task(trader.run())
    for _ in range(20):
        await bench.advance(0.5)
        await asyncio.sleep(0.005)
    assert trader.leadership.lease is None
    assert "two people have not agreed" in trader.health().detail
    agreements.request(terms, "alice", "a month on paper")
    agreements.approve(terms, "bob", "limits are right")
    for _ in range(200):
        if trader.health().ready:
            break
        await bench.advance(0.5)
        await asyncio.sleep(0.005)
    assert trader.states.current.state is TradingState.ACTIVE
    trader.reconfigure(bench.config, terms_of(with_trading(risk=RiskConfig())))
    await trader.follow_once(bench.clock.monotonic_s())
    now = trader.states.current
    assert (now.state, now.actor) == (TradingState.REDUCING, GATE)
    with pytest.raises(NotAgreed, match="two people have not agreed"):
        await trader.commander.resume(Order("ada", "it looks fine"))
    assert trader.states.current.state is TradingState.REDUCING
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


REAL_BY_VARIABLES = {
    "ARES_DATABASE__PASSWORD": "of-this-test",
    "ARES_DATABASE__READONLY_PASSWORD": "of-this-test-too",
    "ARES_PROFILE": "prod",
    "ARES_TRADING__LIVE": "true",
    "ARES_TRADING__RISK__ORDER_NOTIONAL_QUOTE_MAX": "1000",
    "ARES_TRADING__RISK__POSITION_QUOTE_MAX": "5000",
    "ARES_TRADING__RISK__GROSS_EXPOSURE_QUOTE_MAX": "9000",
    "ARES_TRADING__RISK__DAILY_LOSS_QUOTE_MAX": "100",
}


def test_two_people_agree_by_command_and_one_of_them_takes_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**REAL_BY_VARIABLES, "ARES_ENVIRONMENT__STATE_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    run = CliRunner()

    def as_(who: str, *command: str) -> Result:
        monkeypatch.setattr("trader.live.commands.operator", lambda: who)
        return run.invoke(app, list(command))

    assert "nobody asked" in as_("alice", "status").stdout
    assert as_("alice", "request", "--reason", "a month on paper").exit_code == 0
    assert "alice" in str(as_("alice", "approve", "--reason", "fine").exception)
    assert "another person has to agree" in as_("alice", "status").stdout
    assert "agreed to by bob" in as_("bob", "approve", "--reason", "fine").stdout
    facts = json.loads(as_("carol", "status", "--json").stdout)
    assert (facts["holds"], facts["requested_by"], facts["approved_by"]) == (True, "alice", "bob")
    monkeypatch.setenv("ARES_TRADING__RISK__DAILY_LOSS_QUOTE_MAX", "900")
    assert "other terms" in as_("carol", "status").stdout
    assert "HALTED" in as_("carol", "withdraw", "--reason", "no").stdout
    assert json.loads(as_("carol", "status", "--json").stdout)["state"] == "nothing"


def test_who_somebody_is_is_what_the_machine_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "mallory")
    monkeypatch.setenv("LOGNAME", "mallory")
    monkeypatch.delenv("SUDO_UID", raising=False)
    assert operator() == pwd.getpwuid(os.getuid()).pw_name
    monkeypatch.setattr("os.getuid", lambda: 0)
    monkeypatch.setenv("SUDO_UID", str(pwd.getpwnam("nobody").pw_uid))
    assert operator() == "nobody"
    monkeypatch.setenv("SUDO_UID", "4000000")
    assert operator() == "uid 4000000"
    monkeypatch.setattr("os.getuid", lambda: pwd.getpwnam("daemon").pw_uid)
    assert operator() == "daemon", "a variable does not make anybody somebody else"
