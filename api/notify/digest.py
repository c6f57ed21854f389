"""News that wait for one target, merged: a burst becomes a line that says how much of what there was. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from api.notify.figures import average, moment, number
from api.notify.notices import Executed, Notice
from ares.clock import isoformat
from ares.control import Json
from ares.security.access.topics import Topic

LINES_MAX = 12
CHARACTERS_MAX = 3_500
"""Of one message: Telegram takes 4,096, its own escapes included."""
PILES_MAX = 50
"""Of a message to a program; what is more is counted."""


@dataclass(frozen=True, slots=True)
class Pile:
    """News about one subject: the newest of them, and how many there were since when (UTC ns)."""

    newest: Notice
    count: int
    first_ns: int
    executed: Executed | None

    @classmethod
    def of(cls, notice: Notice) -> Pile:
        return cls(notice, 1, notice.ts_ns, notice.executed)

    def merged(self, other: Pile) -> Pile:
        """Both, in whatever order they come."""
        newest = max(self.newest, other.newest, key=lambda each: (each.ts_ns, each.id))
        first_ns = min(self.first_ns, other.first_ns)
        return Pile(newest, self.count + other.count, first_ns, _added(self.executed, other.executed))

    def line(self, now_ns: int) -> str:
        """As people read it."""
        news = self.newest
        at = moment(news.ts_ns, now_ns)
        if self.count == 1:
            return f"{news.text} ({at})"
        if self.executed is not None:
            done, side = self.executed, news.text.partition(" ")[0]
            symbol, whose = news.subject.split()[-2], f"{news.strategy} of {news.account}"
            price = average(done.cost, done.quantity, done.places)
            text = f"{self.count} fills: {side} {number(done.quantity)} {symbol} at {price} on average, {whose}"
            return f"{text} ({moment(self.first_ns, now_ns)} to {at})"
        return f"{self.count} times since {moment(self.first_ns, now_ns)}, last {at}: {news.text}"


@dataclass(slots=True)
class Digest:
    """What a target is to be told. Merging is a matter of adding up: any grouping and order gives the same."""

    piles: dict[tuple[Topic, str], Pile] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many pieces of news."""
        return sum(pile.count for pile in self.piles.values())

    @property
    def first_ns(self) -> int:
        """When the oldest of them happened."""
        return min(pile.first_ns for pile in self.piles.values())

    def put(self, notices: Iterable[Notice]) -> None:
        """Add news."""
        for notice in notices:
            self._put((notice.topic, notice.subject), Pile.of(notice))

    def take(self, other: Digest) -> None:
        """Add all that another one has."""
        for place, pile in other.piles.items():
            self._put(place, pile)

    def text(self, now_ns: int) -> str:
        """The message, oldest subject first; what does not fit is counted."""
        lines, length = list[str](), 0
        piles = self._in_order()
        for pile in piles[:LINES_MAX]:
            line = pile.line(now_ns)
            if length + len(line) > CHARACTERS_MAX:
                break
            lines.append(line)
            length += len(line) + 1
        rest = Counter[str]()
        for pile in piles[len(lines) :]:
            rest[pile.newest.topic.value] += pile.count
        if rest:
            lines.append(f"and more: {', '.join(f'{count} of {topic}' for topic, count in sorted(rest.items()))}")
        return "\n".join(lines)

    def cells(self) -> list[Json]:
        """The same for programs."""
        return [
            {
                "id": pile.newest.id,
                "topic": pile.newest.topic.value,
                "at": isoformat(pile.newest.ts_ns),
                "first_at": isoformat(pile.first_ns),
                "count": pile.count,
                "account": pile.newest.account,
                "strategy": pile.newest.strategy,
                "text": pile.newest.text,
            }
            for pile in self._in_order()[:PILES_MAX]
        ]

    def _in_order(self) -> list[Pile]:
        return sorted(self.piles.values(), key=lambda pile: (pile.first_ns, pile.newest.topic, pile.newest.subject))

    def _put(self, place: tuple[Topic, str], pile: Pile) -> None:
        before = self.piles.get(place)
        self.piles[place] = pile if before is None else before.merged(pile)


def _added(one: Executed | None, other: Executed | None) -> Executed | None:
    if one is None or other is None:
        return one or other
    places = max(one.places, other.places)
    return replace(one, quantity=one.quantity + other.quantity, cost=one.cost + other.cost, places=places)
