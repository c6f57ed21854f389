"""Something of everything for two accounts and two strategies, and scopes that confine people to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import orjson

from alerting.receiver.events import ActionOutcome, AlertActed
from alerting.receiver.journal import AlertJournal
from ares.clock import SystemClock
from ares.control import ControlStore
from ares.events.mirror import event_row
from ares.model.alerts import AlertTold
from ares.model.row import Row
from ares.security.access.roles import Scope

EVENTS_MAX = 10_000


def scopes_of(accounts: tuple[str, str], strategies: tuple[str, str]) -> Mapping[str, Scope]:
    """What people are confined to, of two accounts and two strategies."""
    return {
        "everywhere": Scope(),
        "account": Scope(accounts=frozenset({accounts[0]})),
        "elsewhere": Scope(accounts=frozenset({accounts[1]})),
        "strategy": Scope(strategies=frozenset({strategies[0]})),
        "other": Scope(strategies=frozenset({strategies[1]})),
        "nowhere": Scope(frozenset(), frozenset()),
    }


@dataclass(frozen=True, slots=True)
class Names:
    """Of one test: its own account and strategy, and foreign ones."""

    venue: str

    @property
    def accounts(self) -> tuple[str, str]:
        return (f"a-{self.venue}", f"b-{self.venue}")

    @property
    def strategies(self) -> tuple[str, str]:
        return (f"s_{self.venue}", f"t_{self.venue}")

    def scopes(self) -> Mapping[str, Scope]:
        return scopes_of(self.accounts, self.strategies)


def rows_of(names: Names, now_ns: int) -> list[Row]:
    """Something of everything for each account and each strategy, and what is of no strategy."""
    found: list[Row] = []
    one = Decimal(1)
    for number, account in enumerate(names.accounts):
        at = {"account": account, "venue": names.venue}
        settings = {"trading": {"account": account, "risk": {"position_quote_max": 1}}}
        change = {"status": "changed", "cause": "test", "instance": "test"}
        found += [
            Row("equity", now_ns, {"account": account, "quote_currency": "USDT"}, {"cash": one}),
            Row("balances", now_ns, {**at, "currency": "USDT"}, {"free": one}),
            Row("trading_state", now_ns, {"account": account, "state": "ACTIVE", "actor": "test"}, {"seq": 1}),
            Row("commands", now_ns, {"account": account, "command": "halt"}, {"command_id": account, "seq": 1}),
            Row("limits", now_ns, {"account": account, "name": "leverage_max", "status": "set"}, {"seq": 9}),
            Row(
                "config_versions", now_ns + number, change, {"version": 1, "settings": orjson.dumps(settings).decode()}
            ),
        ]
        for seq, strategy in enumerate(names.strategies):
            of = {**at, "symbol": "BTC/USDT", "strategy": strategy}
            key = f"{account}-{strategy}"
            found += [
                Row("decisions", now_ns, {**of, "action": "hold"}, {"cycle_id": key}),
                Row("order_events", now_ns, {**of, "state": "FILLED"}, {"order_id": key, "seq": 1}),
                Row("fills", now_ns, {**of, "side": "buy"}, {"fill_id": key, "order_id": key, "quantity": one}),
                Row("position_events", now_ns, of, {"fill_id": key, "seq": 1, "quantity": one, "average_price": one}),
                Row("limits", now_ns, {"account": account, "name": "leverage_max", "strategy": strategy}, {"seq": seq}),
                Row("parity", now_ns, {**of, "cause": "same"}, {"version": 1, "day": now_ns, "compared_at": now_ns}),
            ]
    for strategy in names.strategies:
        of = {"venue": names.venue, "strategy": strategy}
        found += [
            Row(
                "signal_values", now_ns, {**of, "symbol": "BTC/USDT"}, {"version": 1, "revision": 0, "known_at": now_ns}
            ),
            Row("backtests", now_ns, of, {"run_id": run_of(strategy), "version": 1}),
        ]
    return found


def run_of(strategy: str) -> str:
    return strategy.replace("_", "-")


async def alerts(control: ControlStore, names: Names) -> list[Row]:
    """Of each account and strategy, and of none, an alert that fired, was acted upon and ended."""
    journal = AlertJournal(control, SystemClock())
    owners = [(account, strategy) for account in ("", *names.accounts) for strategy in ("", *names.strategies)]
    for number, (account, strategy) in enumerate(owners):
        labels = {"alertname": names.venue, "account": account, "strategy": strategy}
        given = {name: value for name, value in labels.items() if value}
        key, begun, over = f"{names.venue}-{number}", "2026-11-23T20:05:03.828Z", "2026-11-23T20:15:03.828Z"
        await journal.note(AlertTold(True, given, {"summary": "it fires"}, key, begun, ""))
        await journal.acted(AlertActed(key, begun, names.venue, "halt", ActionOutcome.DONE, "it is HALTED", given))
        await journal.note(AlertTold(False, given, {}, key, begun, over))
    return [event_row(event) for event in control.log(0, EVENTS_MAX)]
