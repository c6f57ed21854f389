"""One reader's connection: who they are, what they subscribed to, and what is sent, no faster than they read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, Protocol

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.cells import Kind
from api.moments import moment_ns
from api.stream.callers import Callers
from api.stream.channels import BY_NAME, Channel
from api.stream.feed import Feed
from api.stream.pending import Item, Pending
from api.stream.recent import Recent
from ares.clock import Clock, isoformat
from ares.errors import AccessDenied, AresError, StoreError, UsageError
from ares.security.access.door import Caller

SUBSCRIPTIONS_MAX = 50
MESSAGE_MAX = 4_096
HEARTBEAT_S = 5.0
CHECKED_S = 1.0
"""So often it is looked whether a reader may still read: a session that ended is cut off within it and `FRESH_S`."""
KNOWN_S_MAX = 10.0
SEND_S_MAX = 30.0
_written = lru_cache(maxsize=64)(isoformat)
"""Places of messages: hundreds of readers are at the same."""


class Wire(Protocol):
    """A WebSocket, as far as it is used."""

    async def receive_text(self) -> str | None:
        """The next message; None: one that is no text."""

    async def send_text(self, message: str) -> None: ...


class Wish(BaseModel):
    """What a reader asks for. `since`: the `place` of the last message they had; without: a snapshot comes first.

    What came just before a place may come again: rows are told apart by their channel's key. What cannot be gone on
    with, for it is too long ago or too much came, is answered with a snapshot that says `lost`.
    """

    op: Literal["auth", "subscribe", "unsubscribe"]
    token: str = Field("", max_length=2_000)
    id: str = Field("", max_length=50)
    channel: str = Field("", max_length=50)
    filters: dict[str, str] = Field(default_factory=dict, max_length=10)
    since: str = Field("", max_length=40)

    model_config = ConfigDict(extra="forbid")


@dataclass(slots=True)
class _Subscription:
    channel: Channel
    filters: Mapping[str, str]
    pending: Pending = field(default_factory=Pending)
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)
    away: StoreError | None = None
    told: StoreError | None = None

    def wanted(self, items: Sequence[Item]) -> Sequence[Item]:
        """Those that are asked for."""
        for name, value in self.filters.items():
            items = [item for item in items if item.row[name] == value]
        return items


@dataclass(frozen=True, slots=True)
class Common:
    """What all connections have in common, so that many of them ask no more than few."""

    clock: Clock
    callers: Callers
    feed: Feed
    recent: Recent


class StreamSession:
    """Serves one connection until it, its session or its right to read ends."""

    def __init__(self, common: Common, wire: Wire, token: str) -> None:
        self._clock = common.clock
        self._callers = common.callers
        self._feed = common.feed
        self._recent = common.recent
        self._wire = wire
        self._token = token
        self._caller: Caller | None = None
        self._subscriptions: dict[str, _Subscription] = {}
        self._news = asyncio.Event()
        self._said = asyncio.Lock()

    async def serve(self) -> None:
        """Raises `AccessDenied` once who reads may not any more."""
        if self._token:
            await self._know(self._token)
        tasks = [asyncio.create_task(each()) for each in (self._listen, self._send, self._beat, self._check)]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for subscription in self._subscriptions.values():
                await subscription.closing.aclose()

    async def _know(self, token: str) -> None:
        self._caller = await self._callers.caller(token)
        self._token = token

    async def _know_again(self) -> None:
        """Who they are may be other than it was; of a token that they renewed meanwhile nothing matters any more."""
        token = self._token
        try:
            caller = await self._callers.caller(token)
        except AresError:
            if self._token == token:
                raise
        else:
            if self._token == token:
                self._caller = caller

    async def _listen(self) -> None:
        while True:
            text = await self._wire.receive_text()
            if text is None:
                await self._refuse("", "invalid", "message: bytes, JSON as a text is taken")
                continue
            if len(text) > MESSAGE_MAX:
                await self._refuse("", "too_long", f"message: {len(text)} characters, {MESSAGE_MAX} are taken")
                continue
            try:
                wish = Wish.model_validate_json(text)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                await self._refuse("", "invalid", f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
                continue
            try:
                await self._take(wish)
            except AccessDenied as error:
                if error.reason != "forbidden":
                    raise
                await self._refuse(wish.id, error.reason, str(error))
            except AresError as error:
                await self._refuse(wish.id, error.code, str(error))

    async def _take(self, wish: Wish) -> None:
        if wish.op == "auth":
            await self._know(wish.token)
            await self._say({"op": "known", "user": "" if self._caller is None else self._caller.user})
            return
        if self._caller is None:
            raise AccessDenied("credentials_missing")
        if wish.op == "unsubscribe":
            await self._unsubscribe(wish.id)
            return
        await self._subscribe(wish, self._caller)

    async def _subscribe(self, wish: Wish, caller: Caller) -> None:
        channel = BY_NAME.get(wish.channel)
        if channel is None:
            raise UsageError(f"channel = {wish.channel!r}: there are {', '.join(BY_NAME)}")
        if not wish.id or wish.id in self._subscriptions or len(self._subscriptions) >= SUBSCRIPTIONS_MAX:
            raise UsageError(f"id = {wish.id!r}: one of its own for each of up to {SUBSCRIPTIONS_MAX} subscriptions")
        caller.require(channel.resource.permission)
        words = [column.name for column in channel.resource.columns if column.kind is Kind.TEXT]
        for name in wish.filters:
            if name not in words:
                raise UsageError(f"filters.{name}: no text of {channel.name}. There are {', '.join(words)}")
        subscription = _Subscription(channel, wish.filters)
        since_ns = moment_ns("since", wish.since) if wish.since else None

        async with AsyncExitStack() as reading:  # until it is a subscription: whatever comes between ends it
            await reading.enter_async_context(self._follow(subscription))
            place_ns = self._feed.place_ns(channel)
            found = await self._recent.found(channel, wish.filters, since_ns)
            subscription.closing = reading.pop_all()
        self._subscriptions[wish.id] = subscription
        goes_on = since_ns is not None and found.whole
        lost = 0 if since_ns is None or found.whole else 1
        kept = self._visible(subscription, subscription.wanted(found.rows))
        await self._rows("delta" if goes_on else "snapshot", wish.id, kept, place_ns=place_ns, lost=lost)
        self._news.set()

    def _follow(self, subscription: _Subscription) -> AbstractAsyncContextManager[None]:
        """While it lasts what is new waits for the reader."""

        def given(items: Sequence[Item]) -> None:
            mine = self._visible(subscription, subscription.wanted(items))
            if mine:
                subscription.pending.put(mine)
                self._news.set()

        def missed() -> None:
            subscription.pending.miss()
            self._news.set()

        def away(error: StoreError | None) -> None:
            subscription.away = error
            self._news.set()

        return self._feed.reading(subscription.channel, given, missed, away)

    async def _unsubscribe(self, name: str) -> None:
        subscription = self._subscriptions.pop(name, None)
        if subscription is None:
            raise UsageError(f"id = {name!r}: no such subscription. There are {', '.join(self._subscriptions)}")
        await subscription.closing.aclose()
        await self._say({"op": "unsubscribed", "id": name})

    def _visible(self, subscription: _Subscription, items: Sequence[Item]) -> Sequence[Item]:
        """Those within what who reads is confined to now."""
        caller, resource = self._caller, subscription.channel.resource
        if caller is None or resource.permission not in caller.permissions:
            return ()
        shows = resource.sight(caller)
        return [item for item in items if shows(item.row)]

    async def _send(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            for name, subscription in list(self._subscriptions.items()):
                back = await self._say_away(name, subscription)
                items, lost = subscription.pending.take()
                kept = self._visible(subscription, items)
                if kept or lost or back:
                    place_ns = self._feed.place_ns(subscription.channel)
                    await self._rows("delta", name, kept, place_ns=place_ns, lost=lost)

    async def _say_away(self, name: str, subscription: _Subscription) -> bool:
        """Say that a channel cannot be read; whether it can again, which a delta says, even one without rows."""
        away, told = subscription.away, subscription.told
        subscription.told = away
        if away is not None and away is not told:
            await self._refuse(name, away.code, str(away))
        return away is None and told is not None

    async def _beat(self) -> None:
        while True:
            await self._clock.sleep(HEARTBEAT_S)
            await self._say({"op": "heartbeat", "at": isoformat(self._clock.now_ns())})

    async def _check(self) -> None:
        began_s = self._clock.monotonic_s()
        while True:
            await self._clock.sleep(CHECKED_S)
            if self._caller is not None:
                await self._know_again()
            elif self._clock.monotonic_s() - began_s > KNOWN_S_MAX:
                raise AccessDenied("credentials_missing")

    async def _rows(self, op: str, name: str, items: Sequence[Item], *, place_ns: int, lost: int) -> None:
        """Rows of a subscription; those that were written for all are put together as they are."""
        head = orjson.dumps({"op": op, "id": name, "place": _written(place_ns), "lost": lost})
        await self._put(b'%b,"rows":[%b]}' % (head[:-1], b",".join(item.text for item in items)))

    async def _say(self, body: Mapping[str, object]) -> None:
        await self._put(orjson.dumps(body))

    async def _refuse(self, name: str, code: str, detail: str) -> None:
        await self._say({"op": "error", "id": name, "code": code, "detail": detail})

    async def _put(self, message: bytes) -> None:
        """Raises `TimeoutError` for a reader that takes nothing any more."""
        async with self._said, asyncio.timeout(SEND_S_MAX):
            await self._wire.send_text(message.decode())
