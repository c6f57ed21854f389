"""Goal: whoever asks the model over HTTP gets a score or is told what was wrong, and never gets anything run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.facts import BarKey, Stamp, ValueKey
from analytics.models.standing import Standing
from analytics.predict import BODY_BYTES_MAX, PROBLEM, REQUESTS_MAX, PredictPort, Question, Refused, address_path
from analytics.scoring import Scorer
from analytics.serving import NOTHING_SCORED
from ares.clock import MINUTE_NS, SystemClock, floor_ns
from ares.store import Database, RowWriter
from tests.unit.analytics.test_serving import STAMP, Told, kept

BTC = "BTC/USDT"
FEATURES = {"a_v1": 0.5, "b_v1": 1.0}


class Asking:
    """A port, its scorer, and a client."""

    def __init__(self, scorer: Scorer, told: Told, port: PredictPort, url: str, client: aiohttp.ClientSession) -> None:
        self.scorer, self.told, self.port, self.url, self.client = scorer, told, port, url, client

    async def ask(self, body: object, **headers: str) -> tuple[int, dict[str, object]]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **headers}
        async with self.client.post(self.url, data=data, headers=sent) as response:
            expected = "application/json" if response.status == 200 else PROBLEM
            assert response.content_type == expected
            return response.status, json.loads(await response.text())


@pytest.fixture
async def asking(database: Database, venue: str, tmp_path: Path) -> AsyncIterator[Asking]:
    told = Told(Standing(kept(tmp_path, "v1"), (kept(tmp_path, "v2", 2),)))
    scorer = Scorer(database, venue, "direction", tmp_path, stages=told)
    await scorer.reload()
    port = PredictPort(scorer, [BTC], tmp_path, 0)
    await port.start()
    async with aiohttp.ClientSession() as client:
        yield Asking(scorer, told, port, f"http://{address_path(tmp_path).read_text()}/predict", client)
    await port.stop()
    assert not address_path(tmp_path).exists()


async def test_score_is_the_one_that_bars_get(asking: Asking) -> None:
    status, body = await asking.ask({"features": {**FEATURES, "not_asked_for_v1": 9}})
    rows = asking.scorer.predict({BarKey(BTC, 10**15): FEATURES}, NOTHING_SCORED, STAMP)
    scores = {row.symbols["version"]: row.columns["score"] for row in rows}
    assert (status, body) == (200, {"model": "direction", "version": "v1", "role": "champion", "score": scores["v1"]})
    status, body = await asking.ask({"features": FEATURES, "version": "v2"})
    assert (status, body["role"], body["score"]) == (200, "challenger", scores["v2"])


async def test_newest_frozen_bar_of_a_symbol_is_scored(asking: Asking, writer: RowWriter, venue: str) -> None:
    assert (await asking.ask({"symbol": BTC}))[0] == 503, "nothing is frozen yet"
    newest_ns = floor_ns(SystemClock().now_ns(), MINUTE_NS) - 2 * MINUTE_NS
    stamp, rows = Stamp(venue, SystemClock().now_ns(), 0), []
    for ts_ns, shift in ((newest_ns - MINUTE_NS, 5.0), (newest_ns, 0.0)):
        for name, value in (("a", 0.5 + shift), ("b", 1.0)):
            rows.append(stamp.feature(ValueKey(BTC, ts_ns, name, 1), 0, value, "h"))
    await writer.write(rows)
    await asking.scorer.database.wait_applied(["feature_values"])
    status, body = await asking.ask({"symbol": BTC})
    _, by_hand = await asking.ask({"features": FEATURES})
    assert (status, body["score"]) == (200, by_hand["score"])
    assert body["symbol"] == BTC


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (b"{", 400, "no JSON"),
        (b"[]", 400, "no object"),
        (b'{"features": {"a_v1": NaN}}', 400, "no JSON"),
        ({}, 400, "either"),
        ({"symbol": BTC, "features": {}}, 400, "either"),
        ({"features": FEATURES, "code": "1"}, 400, "'code' is unknown"),
        ({"features": [1]}, 422, "not an object"),
        ({"features": {f"f{n}": 1 for n in range(1_001)}}, 422, "at most 1000"),
        ({"features": {"a_v1": "0.5"}}, 422, "features.a_v1 = '0.5': not a finite number"),
        ({"features": {"a_v1": True}}, 422, "not a finite number"),
        ({"features": {"a_v1": 1.0}}, 422, "asks for b_v1 too"),
        ({"symbol": 1}, 422, "symbol = '1': not a text"),
        ({"symbol": "DOGE/USDT"}, 404, "Known: BTC/USDT"),
        ({"features": FEATURES, "version": "v9"}, 404, "In use: v1, v2"),
        (b'"' + b"x" * BODY_BYTES_MAX + b'"', 413, "larger than"),
    ],
)
async def test_question_that_cannot_be_answered_is_told_why(
    asking: Asking, body: object, status: int, told: str
) -> None:
    found, problem = await asking.ask(body)
    assert (found, problem["status"]) == (status, status)
    assert told in str(problem["detail"])


async def test_page_of_another_site_gets_nothing(asking: Asking) -> None:
    assert (await asking.ask({"features": FEATURES}, **{"Content-Type": "text/plain"}))[0] == 415
    assert (await asking.ask({"features": FEATURES}, Host="evil.example"))[0] == 421


async def test_without_a_model_it_says_so_and_a_new_champion_answers_at_once(asking: Asking, tmp_path: Path) -> None:
    asking.told.now = Standing(kept(tmp_path, "v3", 3))
    await asking.scorer.reload()
    assert (await asking.ask({"features": FEATURES}))[1]["version"] == "v3"
    asking.scorer.serving = type(asking.scorer.serving)()
    status, problem = await asking.ask({"features": FEATURES})
    assert (status, problem["title"]) == (503, "no model")


async def test_more_questions_than_it_takes_are_told_to_come_again(asking: Asking) -> None:
    answers = await asyncio.gather(*(asking.ask({"symbol": BTC}) for _ in range(10 * REQUESTS_MAX)))
    statuses = {status for status, _ in answers}
    assert statuses == {503, 429}, "some were asked of the database, the others were not"


@given(body=st.one_of(st.binary(max_size=200), st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["features", "symbol", "version"]) | st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
).map(lambda found: json.dumps(found).encode())))  # fmt: skip
def test_whatever_is_sent_becomes_a_question_or_a_refusal(body: bytes) -> None:
    try:
        question = Question.read(body)
    except Refused as refused:
        told = refused
    else:
        assert (question.features is None) != (question.symbol is None)
        return
    assert 400 <= told.status < 500
    assert told.detail
