"""Plays the perpetuals forward: spot's pump with their words, mark prices every second, funding when it is due."""

from __future__ import annotations

from functools import partial

from simulator.hub import Hub
from simulator.perpetual.desk import MarginDesk
from simulator.perpetual.market import Perpetuals
from simulator.perpetual.render import FRAMES, mark_event
from simulator.pump import Pump

MARK_MS = {"markPrice@1s": 1_000, "markPrice": 3_000}


class PerpetualPump(Pump):
    """Owns the replays of the perpetuals while it runs."""

    def __init__(self, perpetuals: Perpetuals, hub: Hub, desk: MarginDesk) -> None:
        super().__init__(perpetuals.market, hub, desk, FRAMES)
        self._perpetuals = perpetuals
        self._desk = desk

    def _on_second(self, second_ms: int, now_ms: int) -> None:
        self._desk.on_second()
        super()._on_second(second_ms, now_ms)

    def _say(self, stream: str, kind: str, second_ms: int, now_ms: int) -> None:
        every_ms = MARK_MS.get(kind)
        if every_ms is None:
            super()._say(stream, kind, second_ms, now_ms)
        elif second_ms % every_ms == 0:
            symbol = stream.partition("@")[0].upper()
            event = mark_event(self._perpetuals, symbol, second_ms)
            self._hub.publish_json(symbol, stream, second_ms, partial(dict, event))
