"""Asking the model from outside: `POST /predict` on loopback, for notebooks, checks and whoever wants a score now.

Numbers go in and a number comes out: a request can name features or a symbol, and nothing that is run.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
from aiohttp import web

from analytics.facts import as_matrix
from analytics.scoring import Scorer
from analytics.serving import Judge
from ares.clock import to_datetime
from ares.errors import OperatingError, StoreError
from ares.files import write_whole
from ares.service.http import listen
from ares.store import load_queries
from ares.store.pool import as_float, as_int, as_str
from ares.telemetry import get_logger, metrics

log = get_logger(__name__)

QUERIES = load_queries("analytics", "queries/predict.sql")
HOST = "127.0.0.1"
HOSTS = (HOST, "localhost")
BODY_BYTES_MAX = 65_536
FEATURES_MAX = 1_000
REQUESTS_MAX = 8
"""At once; more are told to come again: bars that are due go first."""
NEWEST_MINUTES = 10
SHUTDOWN_S = 5.0
PROBLEM = "application/problem+json"


class Refused(Exception):
    """An answer that is no score: its HTTP status, and what is wrong for people."""

    def __init__(self, status: int, title: str, detail: str) -> None:
        self.status, self.title, self.detail = status, title, detail
        super().__init__(detail)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: about given features, or a symbol's newest frozen ones; of the champion, or another version."""

    features: Mapping[str, float] | None
    symbol: str | None
    version: str | None

    @classmethod
    def read(cls, body: bytes) -> Question:
        """Raises `Refused` naming the field, its value and the way out."""
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Refused(400, "not JSON", f"the body is no JSON: {error}") from None
        if not isinstance(found, dict):
            raise Refused(400, "not an object", 'the body is no object. Send {"symbol": "BTC/USDT"}')
        unknown = sorted(found.keys() - {"features", "symbol", "version"})
        if unknown:
            raise Refused(400, "unknown field", f"{unknown[0]!r} is unknown. Known: features, symbol, version")
        if ("features" in found) == ("symbol" in found):
            raise Refused(400, "one of two", 'send either "features" or "symbol"')
        features = numbers_of(found["features"]) if "features" in found else None
        return cls(features, text_of(found, "symbol"), text_of(found, "version"))


def text_of(found: Mapping[str, object], field: str) -> str | None:
    """A text that may be left out. Raises `Refused`."""
    value = found.get(field)
    if field in found and not isinstance(value, str):
        raise Refused(422, "not a text", f"{field} = {str(value)[:100]!r}: not a text")
    return value if isinstance(value, str) else None


def numbers_of(found: object) -> dict[str, float]:
    """Features by their names. Raises `Refused`."""
    if not isinstance(found, dict) or len(found) > FEATURES_MAX:
        raise Refused(
            422, "not features", f'features: not an object of at most {FEATURES_MAX} numbers, {{"rsi_14_v1": 51.2}}'
        )
    for name, value in found.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise Refused(422, "not a number", f"features.{name[:100]} = {str(value)[:100]!r}: not a finite number")
    return {name: float(value) for name, value in found.items()}


class PredictPort:
    """Serves `POST /predict` until stopped. `address` is left in the state directory for who wants to ask."""

    def __init__(self, scorer: Scorer, symbols: Sequence[str], state_dir: Path, port: int) -> None:
        self._scorer = scorer
        self._symbols = symbols
        self._address = address_path(state_dir)
        self._port = port
        self._runner: web.AppRunner | None = None
        self._asked = 0

    async def start(self) -> int:
        """Listen; returns the port (port 0 asks for any). Raises `PortInUse`, `OperatingError`."""
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_post("/predict", self._predict)
        self._runner, port = await listen(app, "analytics.predict_port", HOST, self._port, shutdown_s=SHUTDOWN_S)
        try:
            await asyncio.to_thread(self._address.parent.mkdir, parents=True, exist_ok=True)
            await asyncio.to_thread(write_whole, self._address, f"{HOST}:{port}".encode(), 0o600)
        except OSError as error:
            raise OperatingError(f"{self._address}: cannot be written ({error.strerror})") from None
        return port

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._address.unlink(missing_ok=True)

    async def _predict(self, request: web.Request) -> web.Response:
        began = time.perf_counter()
        self._asked += 1
        try:
            body = await self._answer(request)
        except Refused as refused:
            metrics.PREDICT_REQUESTS.labels(str(refused.status)).inc()
            return problem(refused)
        except web.HTTPRequestEntityTooLarge:
            metrics.PREDICT_REQUESTS.labels("413").inc()
            return problem(Refused(413, "too large", f"the body is larger than {BODY_BYTES_MAX} bytes"))
        finally:
            self._asked -= 1
        metrics.PREDICT_REQUESTS.labels("200").inc()
        metrics.PREDICT_SECONDS.observe(time.perf_counter() - began)
        return web.json_response(body)

    async def _answer(self, request: web.Request) -> dict[str, object]:
        if self._asked > REQUESTS_MAX:
            raise Refused(429, "too many", f"{REQUESTS_MAX} questions are being answered. Ask again")
        if request.host.partition(":")[0] not in HOSTS:  # a name that somebody made lead here
            raise Refused(421, "another host", f"Host must be {HOST}: this is for the machine itself")
        if request.content_type != "application/json":  # which a page of another site cannot send unasked
            raise Refused(415, "not JSON", "Content-Type must be application/json")
        question = Question.read(await request.read())
        judge = self._judge(question.version)
        if question.features is not None:
            return answer(judge, self._scorer, question.features)
        assert question.symbol is not None, "one of two was sent"
        ts_ns, features = await self._newest(question.symbol)
        found = answer(judge, self._scorer, features)
        return {**found, "symbol": question.symbol, "ts": to_datetime(ts_ns).isoformat()}

    def _judge(self, version: str | None) -> Judge:
        serving = self._scorer.serving
        if serving.champion is None:
            raise Refused(
                503, "no model", f"no version of {self._scorer.name} is in use yet. Train one: ares models train"
            )
        if version is None:
            return serving.champion
        for judge in serving.judges:
            if judge.version == version:
                return judge
        raise Refused(
            404, "unknown version", f"version = {version[:100]!r}: not in use. In use: {', '.join(serving.versions)}"
        )

    async def _newest(self, symbol: str) -> tuple[int, dict[str, float]]:
        """The newest frozen features of a symbol, and of which bar they are."""
        if symbol not in self._symbols:
            raise Refused(
                404, "unknown symbol", f"symbol = {symbol[:100]!r}: not collected. Known: {', '.join(self._symbols)}"
            )
        try:
            rows = await self._scorer.database.fetch(QUERIES["newest"], {"venue": self._scorer.venue, "symbol": symbol})
        except StoreError as error:
            raise Refused(503, "no database", f"features cannot be read now: {error.code}") from None
        if not rows:
            raise Refused(503, "nothing frozen", f"no bar of {symbol} was frozen in the last {NEWEST_MINUTES} minutes")
        newest_ns = max(as_int(row["ts_ns"]) for row in rows)
        return newest_ns, {
            f"{as_str(row['name'])}_v{as_int(row['number'])}": as_float(row["value"])
            for row in rows
            if row["ts_ns"] == newest_ns and row["value"] is not None
        }


def answer(judge: Judge, scorer: Scorer, features: Mapping[str, float]) -> dict[str, object]:
    """The score of one row. Raises `Refused` naming what is missing."""
    row = as_matrix(features, judge.model.features)
    if row is None:
        missing = ", ".join(name for name in judge.model.features if name not in features)
        raise Refused(422, "missing features", f"{judge.model.name}@{judge.version} asks for {missing} too")
    (score,) = judge.scorer.probabilities([row])
    role = "champion" if judge is scorer.serving.champion else "challenger"
    return {"model": judge.model.name, "version": judge.version, "role": role, "score": score}


def problem(refused: Refused) -> web.Response:
    """A refusal in the form of RFC 9457."""
    body = {"type": "about:blank", "title": refused.title, "status": refused.status, "detail": refused.detail}
    return web.json_response(body, status=refused.status, content_type=PROBLEM)


def address_path(state_dir: Path) -> Path:
    """On which host and port the model can be asked."""
    return state_dir / "run" / "predict.address"
