"""What an event of the log means to people: news in one sentence, and who may be told. Pure.

Events are read as they lie in the log (JSON), for the packages that write them are none that this one may import;
tests hold what is read here to their recorded shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from api.notify.events import REGISTRY, RowsSeen
from api.notify.figures import decimals, number, span
from ares.control import Json, StoredEvent
from ares.security.access.roles import Permission
from ares.security.access.state import Target, User
from ares.security.access.topics import Topic

TEXT_MAX = 300
OF_ROWS: Mapping[str, tuple[Topic, Permission]] = {
    "gaps": (Topic.GAPS, Permission.READ_MARKET),
    "decisions": (Topic.ORDERS, Permission.READ_TRADING),
    "job_runs": (Topic.JOBS, Permission.READ_OPERATIONS),
    "backups": (Topic.BACKUPS, Permission.READ_OPERATIONS),
    "restore_drills": (Topic.BACKUPS, Permission.READ_OPERATIONS),
}
_IN_DOUBT = ("unknown", "order_outcome_unknown")

Payload = Mapping[str, Json]
Earlier = Callable[[str, str], Payload]
"""What the newest event of a stream and a type said; empty if there is none."""


@dataclass(frozen=True, slots=True)
class Executed:
    """What of an execution can be added up: base and quote currency; `places` of its price behind the point."""

    quantity: Decimal
    cost: Decimal
    places: int


@dataclass(frozen=True, slots=True)
class Notice:
    """One piece of news. `subject`: what others of its topic may be about too: they are told as one.

    Account and strategy are empty where it is of none.
    """

    id: str
    topic: Topic
    permission: Permission
    ts_ns: int
    subject: str
    text: str
    account: str = ""
    strategy: str = ""
    executed: Executed | None = None


def may_be_told(notice: Notice, user: User, target: Target) -> bool:
    """Whether a user asked for it, and may see it now."""
    return (
        user.enabled
        and notice.topic in target.topics
        and notice.ts_ns >= target.since_ns
        and notice.permission in user.permissions
        and user.scope.covers(account=notice.account or None, strategy=notice.strategy or None)
    )


def notices_of(event: StoredEvent, earlier: Earlier) -> Iterator[Notice]:
    """The news that an event is; most are none."""
    if event.category == "notice":
        yield from _rows(event)
        return
    read = _READERS.get(event.category)
    found = None if read is None else read(event, earlier)
    if found is not None:
        yield found


def line_of(value: Json) -> str:
    """A cell as people read it: one line, of bounded length, empty where nothing is."""
    line = "" if value is None else " ".join(str(value).split())
    return line if len(line) <= TEXT_MAX else f"{line[: TEXT_MAX - 1]}…"


def _rows(event: StoredEvent) -> Iterator[Notice]:
    said = REGISTRY.read(event).body
    assert isinstance(said, RowsSeen), "nothing else is of this category"
    topic, permission = OF_ROWS[said.table]
    for row in said.rows:
        subject = f"{said.table} {row.subject}"
        place = (row.account, row.strategy)
        yield Notice(f"{event.id}/{row.key}", topic, permission, row.ts_ns, subject, row.text, *place)


def _alert(event: StoredEvent, earlier: Earlier) -> Notice | None:
    said = event.payload
    fired = said if event.type == "fired" else earlier(event.stream, "fired")
    account, strategy = _labelled(fired)
    is_of_trading = bool(account) or _inner(fired, "labels").get("team") == "trading"
    name = line_of(said.get("name"))
    text = f"alert over: {name}"
    if event.type == "fired":
        text = f"ALERT {line_of(said.get('severity'))} {name}: {line_of(said.get('summary'))}"
    permission = Permission.READ_TRADING if is_of_trading else Permission.READ_OPERATIONS
    return Notice(event.id, Topic.ALERTS, permission, event.ts_ns, f"alert {name}", text, account, strategy)


def _labelled(alert: Payload) -> tuple[str, str]:
    """The account and the strategy that an alert is about; empty where it names none."""
    labels = _inner(alert, "labels")
    return line_of(labels.get("account")), line_of(labels.get("strategy"))


def _acted(event: StoredEvent, _: Earlier) -> Notice | None:
    said = event.payload
    name, outcome = line_of(said.get("name")), line_of(said.get("outcome"))
    text = f"alert {name} asked for {line_of(said.get('action'))}: {outcome}, {line_of(said.get('detail'))}"
    return Notice(event.id, Topic.ALERTS, Permission.READ_TRADING, event.ts_ns, f"alert {name}", text, *_labelled(said))


def _path(event: StoredEvent, _: Earlier) -> Notice | None:
    silent_s = event.payload.get("silent_s")
    lasted = span(silent_s) if isinstance(silent_s, int | float) else "a while"
    text = f"alerts arrive again, after {lasted}" if event.type == "heard" else f"ALERTS CUT OFF for {lasted}"
    return Notice(event.id, Topic.ALERTS, Permission.READ_OPERATIONS, event.ts_ns, "alert path", text)


def _state(event: StoredEvent, _: Earlier) -> Notice | None:
    said, account = event.payload, _account(event)
    text = f"{account} is {line_of(said.get('state'))}, by {line_of(said.get('actor'))}{_why(said.get('reason'))}"
    return _of_account(event, Topic.STATE, "state", text)


def _rest(event: StoredEvent, _: Earlier) -> Notice | None:
    said, strategy = event.payload, line_of(event.payload.get("strategy"))
    verb = "rests" if event.type == "paused" else "goes on"
    text = f"{strategy} {verb}, by {line_of(said.get('actor'))}{_why(said.get('reason'))}"
    return _of_account(event, Topic.STATE, f"rest {strategy}", text, strategy)


def _live(event: StoredEvent, _: Earlier) -> Notice | None:
    said, account = event.payload, _account(event)
    text = f"live trading of {account}: {line_of(said.get('state'))} by {line_of(said.get('who'))}"
    return _of_account(event, Topic.STATE, "live", f"{text}{_why(said.get('why'))}")


def _limit(event: StoredEvent, _: Earlier) -> Notice | None:
    change = _inner(event.payload, "change")
    name, strategy = line_of(change.get("name")), line_of(change.get("strategy"))
    where = " ".join(each for each in (name, strategy, line_of(change.get("symbol"))) if each)
    value = "what the settings say" if change.get("value") is None else number(_decimal(change, "value"))
    verb = "shall be" if event.type == "asked" else "is"
    agreed = event.payload.get("approved_by")
    by = f"{line_of(change.get('actor'))}{f' and {line_of(agreed)}' if agreed else ''}"
    text = f"limit {where} {verb} {value}, by {by}{_why(change.get('reason'))}"
    return _of_account(event, Topic.LIMITS, f"limit {where}", text, strategy)


def _fill(event: StoredEvent, _: Earlier) -> Notice | None:
    if event.type not in {"filled", "foreign_filled"}:
        return None
    fill = _inner(event.payload, "fill")
    execution = _inner(fill, "execution")
    symbol, strategy = line_of(execution.get("symbol")), line_of(fill.get("strategy"))
    side, account = line_of(execution.get("side")), _account(event)
    quantity, price = _decimal(execution, "quantity"), _decimal(execution, "price")
    executed = Executed(quantity, _decimal(execution, "cost"), decimals(price))
    subject = f"fill {account} {strategy} {symbol} {side}"
    text = f"{side} {number(quantity)} {symbol} at {number(price)}, {strategy} of {account}"
    trading = Permission.READ_TRADING
    return Notice(event.id, Topic.FILLS, trading, event.ts_ns, subject, text, account, strategy, executed)


def _order(event: StoredEvent, earlier: Earlier) -> Notice | None:
    if event.type != "rejected" and event.type not in _IN_DOUBT:
        return None
    intent = _inner(earlier(event.stream, "intended"), "intent")
    symbol, strategy = line_of(intent.get("symbol")), line_of(intent.get("strategy"))
    fate = "rejected" if event.type == "rejected" else "OUTCOME UNKNOWN"
    order = f"{line_of(intent.get('side'))} {number(_decimal(intent, 'quantity'))} {symbol}" if intent else "order"
    text = f"{order} {fate}{_why(event.payload.get('reason'))}, {strategy} of {_account(event)}"
    return _of_account(event, Topic.ORDERS, f"order {strategy} {symbol} {fate}", text, strategy)


def _model(event: StoredEvent, _: Earlier) -> Notice | None:
    said, model = event.payload, line_of(event.payload.get("model"))
    text = f"model {model} {line_of(said.get('version'))}: {line_of(said.get('event'))}{_why(said.get('reason'))}"
    return Notice(event.id, Topic.MODELS, Permission.READ_RESEARCH, event.ts_ns, f"model {model}", text)


def _of_account(event: StoredEvent, topic: Topic, subject: str, text: str, strategy: str = "") -> Notice:
    account = _account(event)
    subject = f"{subject} {account}"
    return Notice(event.id, topic, Permission.READ_TRADING, event.ts_ns, subject, text, account, strategy)


def _account(event: StoredEvent) -> str:
    """Streams of an account have its name behind their category."""
    return event.stream.split("/")[1]


def _why(reason: Json) -> str:
    return f": {line_of(reason)}" if reason else ""


def _inner(said: Payload, name: str) -> Payload:
    found = said.get(name)
    return found if isinstance(found, dict) else {}


def _decimal(said: Payload, name: str) -> Decimal:
    found = said.get(name)
    return Decimal(found) if isinstance(found, str) else Decimal(0)


_READERS: Mapping[str, Callable[[StoredEvent, Earlier], Notice | None]] = {
    "alert": _alert,
    "alert_action": _acted,
    "alert_path": _path,
    "trading_state": _state,
    "strategy_pause": _rest,
    "live": _live,
    "limits": _limit,
    "fills": _fill,
    "order": _order,
    "model": _model,
}
