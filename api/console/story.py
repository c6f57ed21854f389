"""Why an order was made and what came of it: first in a sentence, then step by step. Pure.

Times of fills are the venue's clock, all others ours: a delay between the two holds the clocks' difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from markupsafe import Markup

from api.console.bounds import figure_of, valued
from api.console.formats import NONE, duration, moment, number
from api.console.standing import OPEN
from api.console.tables import Col, Form, Reader, badge, facts, link, table
from ares.clock import NANOS_PER_SECOND
from ares.store import Record, Value

PROTECTS = "protection"
BASIS_POINTS = 10_000
NO_MORE = Markup("")
FEATURES = (Col("name", "Feature", Form.CODE), Col("value", "Value", Form.RATIO), Col("known_at", "Known", Form.TIME))
REASONS = {"to_target": "to come to its target", "closing": "to close its position"}
STEPS = {
    "intended": "Written down, before anything was sent",
    "submitted": "Sent to the venue",
    "accepted": "The venue took it",
    "partially_filled": "Executed in part",
    "filled": "Executed in whole",
    "canceled": "Cancelled",
    "expired": "Expired",
    "rejected": "Rejected by the venue",
    "amend_asked": "A change was asked for",
    "amended": "Changed",
}


@dataclass(frozen=True, slots=True)
class Story:
    """All rows that tell of one order. `steps`: oldest first, at least one; `inputs`: features of its signal."""

    steps: Sequence[Record]
    fills: Sequence[Record] = ()
    decision: Record | None = None
    signal: Record | None = None
    prediction: Record | None = None
    features: Sequence[Record] = ()
    inputs: frozenset[str] = frozenset()
    commands: Sequence[Record] = ()

    @property
    def first(self) -> Record:
        """As it was intended."""
        return self.steps[0]

    @property
    def last(self) -> Record:
        """As it stands."""
        return self.steps[-1]

    @property
    def stands(self) -> bool:
        """Whether it may still be executed."""
        return self.last["state"] in OPEN

    @property
    def filled(self) -> Decimal:
        """What was executed, in base: fills may be ahead of steps, or steps of fills."""
        return max(_sum(self.fills, "quantity"), Decimal(str(self.last["filled_quantity"] or 0)))

    @property
    def average(self) -> Decimal | None:
        """What it was executed at, in quote."""
        quantity = _sum(self.fills, "quantity")
        return _sum(self.fills, "cost") / quantity if quantity else None

    @property
    def mark(self) -> Decimal | None:
        """The middle of the market when it was decided on."""
        mark = self.decision["mark"] if self.decision else None
        return mark if isinstance(mark, Decimal) and mark > 0 else None


@dataclass(frozen=True, slots=True)
class Leg:
    """One step of the way. `tone`: good, bad or none."""

    at_ns: int
    head: str
    words: Markup
    more: Markup = NO_MORE
    tone: str = ""


def worse_bips(side: Value, price: Value, mark: Decimal | None) -> float | None:
    """By how much a price is worse than the mark at the decision, in 1/10,000; below 0: better.

    >>> worse_bips("buy", Decimal("100.1"), Decimal(100)), worse_bips("sell", Decimal("100.1"), Decimal(100))
    (10.0, -10.0)
    """
    if mark is None or not isinstance(price, Decimal):
        return None
    worse = price - mark if side == "buy" else mark - price
    return float(worse / mark * BASIS_POINTS)


def slipped(side: Value, price: Value, mark: Decimal | None) -> str:
    """The same in words."""
    bips = worse_bips(side, price, mark)
    if bips is None:
        return ""
    return f"{number(abs(bips), 2)} bp {'worse' if bips >= 0 else 'better'} than the mark at the decision"


def sentence(story: Story, reader: Reader) -> Markup:
    """What happened and why, as one would say it."""
    return Markup('<p class="sentence">{}{}.</p>').format(_did(story, reader), _because(story))


def _did(story: Story, reader: Reader) -> Markup:
    last, buys = story.last, story.last["side"] == "buy"
    symbol, asked = str(last["symbol"]), _amount(last["quantity"], last, reader)
    done, state = _amount(story.filled, last, reader), str(last["state"]).lower().replace("_", " ")
    if story.filled:
        part = Markup(" of {}").format(asked) if story.filled < Decimal(str(last["quantity"])) else Markup("")
        more = Markup(" so far") if story.stands else Markup(", then {}").format(state) if part else Markup("")
        at = Markup(" at {}").format(_price(story.average, last, reader)) if story.average else Markup("")
        verb = "Bought" if buys else "Sold"
        return Markup('<strong class="{}">{} {}</strong>{} {}{}{}').format(
            "up" if buys else "down", verb, done, part, symbol, at, more
        )
    verb = "buy" if buys else "sell"
    if story.stands:
        return Markup("<strong>Stands to {} {}</strong> {}").format(verb, asked, symbol)
    return Markup("<strong>Was to {} {}</strong> {}, but was {}").format(verb, asked, symbol, state)


def _because(story: Story) -> Markup:
    first, decision = story.first, story.decision
    who = Markup("<em>{}</em>").format(first["strategy"])
    if first["cycle_id"] == PROTECTS:
        return Markup(", to protect what {} holds").format(who)
    if decision is None:
        return Markup(", for {}; the decision behind it is not in the database").format(who)
    if decision["signal_ts"] is None:
        actor = story.commands[0]["actor"] if story.commands else None
        return Markup(", because {} ordered it by hand").format(actor or "somebody")
    return Markup(" because {} wanted {}, {}").format(
        who, number(decision["target"], 2, sign=True), REASONS.get(str(decision["reason"]), str(decision["reason"]))
    )


def figures(story: Story, reader: Reader) -> Markup:
    """Its state and what it cost."""
    last = story.last
    fees = _sum(story.fills, "fee_quote")
    bips = worse_bips(last["side"], story.average, story.mark)
    shown: list[tuple[str, str | Markup]] = [
        ("State", badge(str(last["state"]))),
        ("Executed", f"{_amount(story.filled, last, reader)} of {_amount(last['quantity'], last, reader)}"),
        ("At, on average", _price(story.average, last, reader)),
        ("Mark at the decision", _price(story.mark, last, reader)),
        ("Worse than the mark", NONE if bips is None else f"{number(bips, 2)} bp"),
        ("Fees, in quote", number(fees, 4) if story.fills else NONE),
        ("From decision to end", _took(story)),
        ("Kind", _kind(story.first, reader)),
        ("Strategy", link(f"{reader.root}/strategies/{story.first['strategy']}", str(story.first["strategy"]))),
    ]
    return facts(shown)


def _kind(row: Record, reader: Reader) -> str:
    price = _price(row["price"], row, reader) if row["price"] is not None else "the market"
    stop = f", once it trades at {_price(row['stop_price'], row, reader)}" if row["stop_price"] is not None else ""
    return f"{row['type']} {row['time_in_force'] or ''} at {price}{stop}"


def _took(story: Story) -> str:
    begun = _ns(story.decision["ts"] if story.decision else story.first["ts"])
    ends = [_ns(row["ts"]) for row in (*story.fills, *story.steps[1:])]
    return NONE if story.stands or not ends else duration(max(0, max(ends) - begun) / NANOS_PER_SECOND)


def timeline(story: Story, reader: Reader) -> Markup:
    """Every step that led to it and followed, with its time and what it took since the one before."""
    items = Markup("")
    before: int | None = None
    for leg in sorted(legs(story, reader), key=lambda each: each.at_ns):
        took = "" if before is None or before == leg.at_ns else f"+{duration((leg.at_ns - before) / NANOS_PER_SECOND)}"
        items += Markup(
            '<li class="{}"><div class="when"><time>{}</time> <span class="hint">{}</span></div>'
            "<div><h4>{}</h4><p>{}</p>{}</div></li>"
        ).format(leg.tone, moment(leg.at_ns, reader.zone, now_ns=reader.now_ns), took, leg.head, leg.words, leg.more)
        before = leg.at_ns
    return Markup('<ol class="timeline">{}</ol>').format(items)


def legs(story: Story, reader: Reader) -> Iterator[Leg]:
    """The steps, in the order of cause and effect."""
    yield from _research(story, reader)
    for row in story.commands:
        words = Markup("{} ordered <code>{}</code>: {}").format(row["actor"], row["command"], row["status"])
        yield Leg(
            _ns(row["ts"]), "A person or a program ordered", words, tone="bad" if row["status"] == "failed" else ""
        )
    if story.decision is not None:
        yield _decision(story.decision, reader)
    for step in story.steps:
        yield _step(step)
    for fill in story.fills:
        yield _fill(fill, story.mark, reader)


def _research(story: Story, reader: Reader) -> Iterator[Leg]:
    if story.features:
        known = max(_ns(row["known_at"]) for row in story.features)
        count = len(story.features)
        words = Markup("{} features of its minute were known, and stay as they were").format(count)
        yield Leg(known, "Features were frozen", words, features_written(story.features, story.inputs, reader))
    if story.prediction is not None:
        row = story.prediction
        words = Markup("Model <em>{}</em>, version {}, gave a score of <strong>{}</strong>")
        yield Leg(
            _ns(row["known_at"]), "A model scored", words.format(row["model"], row["version"], number(row["score"], 4))
        )
    if story.signal is not None:
        row = story.signal
        revised = f", in revision {row['revision']}" if row["revision"] else ""
        words = Markup("<em>{}</em> wanted <strong>{}</strong> with confidence {}{}").format(
            story.first["strategy"], number(row["target"], 3, sign=True), number(row["confidence"], 3), revised
        )
        yield Leg(_ns(row["known_at"]), "The signal", words)


def features_written(features: Sequence[Record], inputs: frozenset[str], reader: Reader) -> Markup:
    """Those that the signal is made of, and the others folded away."""
    mine = [row for row in features if f"{row['name']}_v{row['version']}" in inputs]
    others = [row for row in features if row not in mine]
    shown = table("Features of the signal", FEATURES, mine, reader) if mine else Markup("")
    if not others:
        return shown
    head = f"{len(others)} more of that minute" if mine else "Show them"
    return Markup("{}<details><summary>{}</summary>{}</details>").format(
        shown, head, table("Other features", FEATURES, others, reader)
    )


def _decision(row: Record, reader: Reader) -> Leg:
    held, wanted = (_amount(row[name], row, reader) for name in ("quantity", "target_quantity"))
    words = Markup("It held {}, wanted {}: <strong>{} {}</strong>, {}. The mark was {}, trading was {}.").format(
        held,
        wanted,
        row["action"],
        _amount(row["order_quantity"], row, reader),
        REASONS.get(str(row["reason"]), str(row["reason"]).replace("_", " ")),
        _price(row["mark"], row, reader),
        row["state"],
    )
    more = Markup("")
    scale = figure_of(row["limit_scale"])
    if row["rule"]:
        unit = str(row["unit"] or "")
        observed, limit = (valued(figure_of(row[name]), unit) for name in ("observed", "limit_value"))
        more += Markup("<p>Limit <code>{}</code>: {} of {}.</p>").format(row["rule"], observed, limit)
    else:
        more += Markup("<p>Every limit allowed it.</p>")
    if scale is not None and scale < 1:
        more += Markup("<p>Limits on exposure counted {} of what is set.</p>").format(f"{scale:.0%}")
    if row["warnings"]:
        more += Markup('<p class="warned">Near a limit: {}</p>').format(row["warnings"])
    return Leg(_ns(row["ts"]), "The decision", words, more)


def _step(step: Record) -> Leg:
    event, state = str(step["event"]), str(step["state"])
    place = Markup(", at the venue <code>{}</code>").format(step["venue_order_id"]) if step["venue_order_id"] else ""
    why = Markup(": {}").format(step["reason"]) if step["reason"] else ""
    tone = "good" if state == "FILLED" else "bad" if state in {"REJECTED", "UNKNOWN"} else ""
    return Leg(
        _ns(step["ts"]),
        STEPS.get(event, event.replace("_", " ").capitalize()),
        Markup("{}{}{}").format(badge(state), place, why),
        tone=tone,
    )


def _fill(fill: Record, mark: Decimal | None, reader: Reader) -> Leg:
    words = Markup("<strong>{} at {}</strong>, {}, fee {} {}").format(
        _amount(fill["quantity"], fill, reader),
        _price(fill["price"], fill, reader),
        fill["liquidity"],
        f"{fill['fee']:f}".rstrip("0").rstrip(".") if isinstance(fill["fee"], Decimal) else NONE,
        fill["fee_currency"] or "",
    )
    slip = slipped(fill["side"], fill["price"], mark)
    return Leg(_ns(fill["ts"]), "A fill", words, Markup("<p>{}</p>").format(slip) if slip else Markup(""), "good")


def names(story: Story) -> Markup:
    """Ids, to look it up elsewhere by."""
    last = story.last
    shown = {
        "Order": last["order_id"],
        "At the venue": next(
            (step["venue_order_id"] for step in reversed(story.steps) if step["venue_order_id"]), None
        ),
        "Cycle": last["cycle_id"],
        "Correlation": last["correlation_id"],
        "Trace": last["trace_id"],
        "Account": last["account"],
        "Venue": last["venue"],
    }
    pairs: Mapping[str, Markup] = {name: Markup("<code>{}</code>").format(each) for name, each in shown.items() if each}
    return Markup('<div class="names">{}</div>').format(facts(pairs.items()))


def _sum(rows: Sequence[Record], name: str) -> Decimal:
    return sum((value for row in rows if isinstance(value := row[name], Decimal)), Decimal(0))


def _ns(value: Value) -> int:
    return value if isinstance(value, int) else 0


def _amount(value: Value, row: Record, reader: Reader) -> str:
    return number(value, reader.precision.steps(row["venue"], row["symbol"]).amount)


def _price(value: Value, row: Record, reader: Reader) -> str:
    return number(value, reader.precision.steps(row["venue"], row["symbol"]).price)
