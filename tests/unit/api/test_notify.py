"""Goal: people are told what they may see, in few words, signed; and nothing is sent to where nothing must go."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.notify.addresses import require_address
from api.notify.chats import position_lines, status_lines
from api.notify.digest import CHARACTERS_MAX, LINES_MAX, Digest
from api.notify.events import ROWS_SEEN, RowSeen, RowsSeen
from api.notify.notices import Notice, Payload, may_be_told, notices_of
from api.notify.senders import signed, slack_text
from ares.clock import MINUTE_NS, NANOS_PER_SECOND
from ares.config.notifications import NotificationsConfig
from ares.control import ControlStore, Json, StoredEvent
from ares.errors import UnknownName, UsageError
from ares.security.access.keyring import Keyring, Use
from ares.security.access.roles import Permission, Role, Scope
from ares.security.access.state import Target, User
from ares.security.access.targets import TARGETS_MAX, Address, Targets, Wish, topics_of
from ares.security.access.topics import MEANINGS, TargetKind, Topic
from ares.security.access.users import By, Users
from ares.testing.clock import SteppedClock
from tests.helpers import ROOT

NOW_NS = 1_796_000_000 * NANOS_PER_SECOND
SAMPLES = ROOT / "tests" / "fixtures" / "events"
EVERYTHING = frozenset(Topic)
WISH = Wish(TargetKind.WEBHOOK, "desk", frozenset({Topic.FILLS}))
ME = By("maria")
STREAMS = {"order": "order/paper/o1", "alert": "alert/1a30", "alert_action": "alert_action/trader"}


def sample(name: str) -> dict[str, Json]:
    found: dict[str, Json] = json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))["payload"]
    return found


def event(name: str, payload: dict[str, Json] | None = None, position: int = 1, ts_ns: int = NOW_NS) -> StoredEvent:
    category, type_, _ = name.split(".")
    stream = STREAMS.get(category, f"{category}/paper")
    return StoredEvent(position, stream, position, type_, 1, ts_ns, sample(name) if payload is None else payload)


def earlier(_: str, type_: str) -> Payload:
    return sample({"intended": "order.intended.v2", "fired": "alert.fired.v1"}[type_])


def news(name: str, payload: dict[str, Json] | None = None, **where: int) -> list[Notice]:
    return list(notices_of(event(name, payload, **where), earlier))


TEXTS = {
    "alert.fired.v1": (Topic.ALERTS, "ALERT page Drawdown: Account paper is 6 % below its best"),
    "alert.ended.v1": (Topic.ALERTS, "alert over: Drawdown"),
    "alert_action.acted.v1": (Topic.ALERTS, "alert Drawdown asked for halt: done, the trader is HALTED"),
    "alert_path.silent.v1": (Topic.ALERTS, "ALERTS CUT OFF for 0:03:01"),
    "alert_path.heard.v1": (Topic.ALERTS, "alerts arrive again, after 0:04:00"),
    "trading_state.changed.v1": (Topic.STATE, "paper is HALTED, by operator: venue maintenance"),
    "strategy_pause.paused.v1": (Topic.STATE, "signal_momentum rests, by operator: odd fills"),
    "strategy_pause.resumed.v1": (Topic.STATE, "signal_momentum goes on, by operator: fills explained"),
    "live.said.v1": (Topic.STATE, "live trading of paper: requested by alice: a month on paper went well"),
    "limits.asked.v1": (
        Topic.LIMITS, "limit position_quote_max BTC/USDT shall be 12,000, by ada: more capital",
    ),
    "limits.set.v1": (
        Topic.LIMITS, "limit position_quote_max BTC/USDT is 12,000, by ada and grace: more capital",
    ),
    "fills.filled.v2": (Topic.FILLS, "buy 0.05 BTC/USDT at 62,598.2, signal_momentum of paper"),
    "order.rejected.v1": (
        Topic.ORDERS,
        "buy 0.05 BTC/USDT rejected: InsufficientFunds: balance 12.5 USDT, signal_momentum of paper",
    ),
    "order.order_outcome_unknown.v1": (
        Topic.ORDERS, "buy 0.05 BTC/USDT OUTCOME UNKNOWN: no answer within 5 s, signal_momentum of paper",
    ),
    "model.staged.v1": (Topic.MODELS, "model direction 20260301T120000.123: champion: passed the gate"),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_an_event_as_its_package_writes_it_is_one_sentence(name: str) -> None:
    (found,) = news(name)
    assert (found.topic, found.text) == TEXTS[name]


def test_most_events_are_no_news() -> None:
    told = {name.rsplit(".", 1)[0] for name in TEXTS} | {"fills.foreign_filled", "order.unknown", "notice.rows_seen"}
    for path in sorted(SAMPLES.glob("*.v?.json")):
        name = path.name.removesuffix(".json")
        if name.rsplit(".", 1)[0] not in told:
            assert news(name) == [], name


def test_rows_that_were_seen_are_news_each() -> None:
    rows = tuple(RowSeen(f"k{n}", NOW_NS + n, "spot-1", "s", "spot-1 s X", f"refused {n}") for n in range(2))
    found = news("notice.rows_seen.v1", ROWS_SEEN.dump(RowsSeen("decisions", rows)))
    assert [(each.text, each.topic, each.permission) for each in found] == [
        (f"refused {n}", Topic.ORDERS, Permission.READ_TRADING) for n in range(2)
    ]
    assert len({each.id for each in found}) == 2


def user(role: Role = Role.TRADER, scope: Scope | None = None, *, enabled: bool = True) -> User:
    return User("maria", role, Scope() if scope is None else scope, enabled)


def target(*topics: Topic, since_ns: int = 0) -> Target:
    return Target("t1", TargetKind.WEBHOOK, "desk", frozenset(topics) or EVERYTHING, since_ns)


def test_only_what_a_user_asked_for_and_may_see_is_told() -> None:
    (fill,), (alert,), (path,) = news("fills.filled.v2"), news("alert.fired.v1"), news("alert_path.silent.v1")
    (state,), (model,) = news("trading_state.changed.v1"), news("model.staged.v1")
    whole, mine = Scope(), Scope(frozenset({"paper"}), frozenset({"signal_momentum"}))
    out = user(enabled=False)
    other, nothing = Scope(frozenset({"spot-1"})), Scope(frozenset(), frozenset())
    other_strategy = Scope(None, frozenset({"signal_direction"}))
    cases = [
        (fill, user(scope=whole), True), (fill, user(scope=mine), True), (fill, user(scope=other), False),
        (fill, user(scope=nothing), False), (fill, user(scope=other_strategy), False),
        (fill, out, False), (state, user(scope=other_strategy), True), (state, user(scope=other), False),
        (alert, user(Role.VIEWER), True), (alert, user(Role.VIEWER, other), False), (path, user(Role.VIEWER), False),
        (path, user(Role.OPERATOR), True), (model, user(scope=nothing), True),
    ]  # fmt: skip
    for notice, who, allowed in cases:
        assert may_be_told(notice, who, target()) is allowed, (notice, who)
    assert not may_be_told(fill, user(), target(Topic.STATE)), "not asked for"
    assert not may_be_told(fill, user(), target(since_ns=NOW_NS + 1)), "before it was asked for"


def test_a_burst_becomes_one_line_that_adds_up() -> None:
    digest = Digest()
    for number, price in enumerate(("62598.20", "62600.10", "62601")):
        payload = sample("fills.filled.v2")
        payload["fill"]["execution"] |= {  # type: ignore[index, operator]  # a fixture's shape is known
            "price": price, "quantity": "0.05", "cost": str(float(price) * 0.05)[:9],
        }  # fmt: skip
        digest.put(news("fills.filled.v2", payload, position=number + 1, ts_ns=NOW_NS + number * NANOS_PER_SECOND))
    digest.put(news("trading_state.changed.v1", position=9, ts_ns=NOW_NS + 5 * NANOS_PER_SECOND))
    assert digest.text(NOW_NS + MINUTE_NS).splitlines() == [
        "3 fills: buy 0.15 BTC/USDT at 62,599.8 on average, signal_momentum of paper (00:53:20 UTC to 00:53:22 UTC)",
        "paper is HALTED, by operator: venue maintenance (00:53:25 UTC)",
    ]
    assert digest.count == 4


def test_a_message_stays_short_and_says_how_much_it_leaves_out() -> None:
    digest = Digest()
    for number in range(100):
        said = sample("alert.fired.v1") | {"name": f"A{number}", "summary": "x" * 2_000}
        digest.put(news("alert.fired.v1", said, position=number + 1, ts_ns=NOW_NS + number))
    text = digest.text(NOW_NS)
    assert len(text) < CHARACTERS_MAX + 100
    shown = len(text.splitlines()) - 1
    assert 0 < shown <= LINES_MAX
    assert text.splitlines()[-1] == f"and more: {100 - shown} of alerts"


def test_what_a_webhook_is_sent_is_signed_with_its_moment() -> None:
    expected = hmac.new(b"key", b'1796000000.{"a":1}', hashlib.sha256).hexdigest()
    headers = signed("key", 1_796_000_000, b'{"a":1}')
    assert headers == {"Ares-Timestamp": "1796000000", "Ares-Signature": f"v1={expected}"}
    for other in (signed("kez", 1_796_000_000, b'{"a":1}'), signed("key", 1_796_000_001, b'{"a":1}')):
        assert other["Ares-Signature"] != headers["Ares-Signature"]


def test_nothing_of_ours_is_a_mention_in_slack() -> None:
    assert slack_text("<!channel> a & b") == "&lt;!channel&gt; a &amp; b"


@pytest.mark.parametrize(
    ("url", "dev", "good"),
    [
        ("https://hooks.slack.com/services/T/B/X", False, True), ("https://10.1.2.3:8443/hook", False, True),
        ("http://example.org/hook", True, False), ("http://127.0.0.1:9/hook", True, True),
        ("http://127.0.0.1:9/hook", False, False), ("https://127.0.0.1/hook", False, False),
        ("https://localhost/hook", False, False), ("https://[::1]/hook", False, False),
        ("https://[::ffff:169.254.169.254]/", False, False), ("https://169.254.169.254/latest", True, False),
        ("https://0.0.0.0/", True, False), ("ftp://127.0.0.1/hook", True, False), ("https://", True, False),
        ("https://maria:pw@example.org/", False, False), ("https://example.org:99999/", False, False),
        ("https://example.org/a b", False, False), ("https://ex\u00e4mple.org/", False, False), ("", True, False),
    ],
)  # fmt: skip
def test_webhooks_are_https_elsewhere_or_this_machine_in_dev(url: str, dev: bool, good: bool) -> None:
    if good:
        require_address(url, dev=dev)
        return
    with pytest.raises(UsageError, match="url") as caught:
        require_address(url, dev=dev)
    assert "/hook" not in str(caught.value).replace("example.org/hook", ""), "what is behind the host may be secret"


def test_the_token_goes_to_nobody_in_the_clear() -> None:
    NotificationsConfig(telegram_url="http://127.0.0.1:9")
    with pytest.raises(ValidationError, match="telegram_url"):
        NotificationsConfig(telegram_url="http://api.telegram.org")


def test_a_trader_tells_its_state_in_few_lines() -> None:
    said: dict[str, Json] = {
        "account": "paper", "venue": "sim", "state": "HALTED", "state_reason": "odd fills", "state_actor": "maria",
        "state_since": "2026-11-23T20:05:03.828000000Z", "ready": True, "leader": True,
        "paused": {"signal_direction": {}}, "pnl_quote": {"day": "-12.50000000"}, "cash": "20000.1230",
        "orders_open": [], "positions": [
            {"symbol": "BTC/USDT", "strategy": "s", "quantity": "0.0200", "average_price": "50000", "mark": None,
             "unrealised_quote": None}
        ],
    }  # fmt: skip
    assert status_lines(said) == [
        "paper at sim is HALTED",
        "since 2026-11-23T20:05:03 UTC by maria, odd fills",
        "profit today -12.5, cash 20,000.123",
        "0 open orders, 1 positions",
        "resting: signal_direction",
    ]
    assert position_lines(said) == ["0.02 BTC/USDT, s: bought at 50,000, now ?, unrealised ?"]
    assert position_lines({}) == ["Nothing is held."]


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(NOW_NS)


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring.open(tmp_path / "access.key", "access.key_file")


@pytest.fixture
def targets(control: ControlStore, clock: SteppedClock, keyring: Keyring) -> Iterator[Targets]:
    users = Users(control, clock)
    users.add("maria", Role.TRADER, Scope(), "correct horse battery", By("admin"))
    return Targets(users, control, keyring, clock)


def test_targets_are_events_and_their_addresses_are_sealed(targets: Targets, control: ControlStore) -> None:
    secret = "https://example.org/a-long-path-that-is-secret"  # pragma: allowlist secret - nobody is there
    made = targets.add("maria", WISH, Address(secret, "a-key-that-signs"), ME)
    assert targets.address(made) == Address(secret, "a-key-that-signs")
    targets.choose("maria", made.id, frozenset({Topic.STATE}), ME)
    targets.switch("maria", made.id, By("ares", "answered 404"), paused=True)
    targets.switch("maria", made.id, By("ares", "answered 404"), paused=True)
    (known,) = targets.of("maria")
    assert (known.target.topics, known.target.paused) == (frozenset({Topic.STATE}), "answered 404")
    targets.remove("maria", made.id, By("maria", "no more"))
    assert targets.of("maria") == []
    kinds = [each.type for each in control.read("user/maria")][2:]
    assert kinds == ["target_set", "target_set", "target_switched", "target_removed"]
    everything = control.read("user/maria") + control.log(0, 1_000)
    assert not any("secret" in str(each) or "signs" in str(each) for each in everything)
    with control.reading() as connection:
        kept = connection.exec_driver_sql("SELECT value FROM credentials").scalars().all()
    mirrored = [each.row for each in control.outbox(0, 1_000)]
    assert not any("secret" in each or "signs" in each for each in (*kept, *map(str, mirrored)))
    assert [row.table for row in mirrored].count("users_history") == 6


def test_targets_want_a_name_something_to_tell_and_a_bound(targets: Targets) -> None:
    for wish in (Wish(TargetKind.SLACK, "", EVERYTHING), Wish(TargetKind.SLACK, "a", frozenset())):
        with pytest.raises(UsageError):
            targets.add("maria", wish, Address("https://example.org"), ME)
    with pytest.raises(UnknownName, match="topic = 'news'"):
        topics_of(["news"])
    with pytest.raises(UnknownName, match="target"):
        targets.remove("maria", "nothing", ME)
    for _ in range(TARGETS_MAX):
        targets.add("maria", WISH, Address("https://example.org"), ME)
    with pytest.raises(UsageError, match="which is the most"):
        targets.add("maria", WISH, Address("https://example.org"), ME)
    assert MEANINGS.keys() == EVERYTHING


async def test_a_code_links_once_and_for_some_minutes(targets: Targets, clock: SteppedClock) -> None:
    wish = Wish(TargetKind.TELEGRAM, "phone", frozenset({Topic.STATE}))
    code = targets.new_code("maria", wish, 600)
    assert targets.link("AAAABBBBCCCC", "7") is None
    linked = targets.link(f" {code.lower()} ", "7")
    assert linked is not None
    assert (linked.user.name, targets.address(linked.target).place, linked.target.label) == ("maria", "7", "phone")
    assert targets.link(code, "8") is None, "good once"
    late = targets.new_code("maria", wish, 600)
    await clock.advance(600)
    assert targets.link(late, "8") is None
    of_somebody_who_left = targets.new_code("maria", wish, 600)
    targets._users.add("root", Role.ADMIN, Scope(), "correct horse battery", By("admin"))
    targets._users.switch("maria", By("root"), enabled=False)
    assert targets.link(of_somebody_who_left, "8") is None
    assert list(targets.every()) == []


def test_what_is_sealed_for_one_use_opens_for_no_other(keyring: Keyring) -> None:
    sealed = keyring.seal("an address", Use.TARGET)
    assert keyring.unseal(sealed, Use.TARGET) == "an address"
    with pytest.raises(UsageError, match="a second factor was sealed by another key"):
        keyring.unseal(sealed)
