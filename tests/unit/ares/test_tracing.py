"""Goal: every process names the same trace for the same ticks, keeps the same tenth of them, and pays little for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import format_trace_id
from prometheus_client import generate_latest

from ares.telemetry.tracing import Observability, trace_id_of

TRACE = trace_id_of("sim", "BTC/USDT", 29_000_000)


class Recorded:
    """An observability whose spans a test can read."""

    def __init__(self, share: float) -> None:
        self._kept = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(share)), shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._kept))
        self.observability = Observability()
        self.observability.record_by(self.provider.get_tracer("test"), share)

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self._kept.get_finished_spans()}


@pytest.fixture
def everything() -> Iterator[Recorded]:
    recorded = Recorded(1.0)
    yield recorded
    recorded.provider.shutdown()


def trace_of(span: ReadableSpan) -> str:
    context = span.get_span_context()
    assert context is not None
    return format_trace_id(context.trace_id)


def test_trace_is_named_by_venue_symbol_and_minute_alone() -> None:
    assert trace_id_of("sim", "BTC/USDT", 29_000_000) == TRACE
    assert len({trace_id_of(v, s, m) for v in ("sim", "si") for s in ("mBTC/USDT", "BTC/USDT") for m in (1, 2)}) == 8


@given(st.integers(0, 2**40), st.floats(0, 1))
def test_share_of_traces_that_is_kept_is_that_of_opentelemetry(minute: int, share: float) -> None:
    trace_id = trace_id_of("sim", "BTC/USDT", minute)
    observability = Observability()
    observability.record_by(TracerProvider(shutdown_on_exit=False).get_tracer("test"), share)
    bound = TraceIdRatioBased(share).bound
    assert observability.is_recorded(trace_id) == (int(trace_id, 16) & (2**64 - 1) < bound)


def test_work_on_a_trace_in_two_processes_is_one_trace_and_what_is_inside_hangs_on_what_is_around() -> None:
    first, second = Recorded(1.0), Recorded(1.0)
    first.observability.record("ingest.batch", TRACE, 5, 9, trades=3)
    with (
        second.observability.track("order.submit", TRACE, symbol="BTC/USDT") as span,
        second.observability.track("external.call"),
    ):
        span.set_attribute("order_id", "ares1")
    batch, submit, call = first.spans["ingest.batch"], second.spans["order.submit"], second.spans["external.call"]
    assert {trace_of(each) for each in (batch, submit, call)} == {TRACE}
    assert (batch.start_time, batch.end_time, dict(batch.attributes or {})) == (5, 9, {"trades": 3})
    assert dict(submit.attributes or {}) == {"symbol": "BTC/USDT", "order_id": "ares1"}
    assert call.parent == submit.get_span_context()
    assert batch.parent is not None
    assert submit.parent is not None
    assert batch.parent.span_id == submit.parent.span_id, "the root that both know"
    for each in (first, second):
        each.provider.shutdown()


def test_another_trace_inside_is_a_trace_of_its_own(everything: Recorded) -> None:
    other = trace_id_of("sim", "ETH/USDT", 1)
    with everything.observability.track("outer", TRACE), everything.observability.track("inner", other):
        pass
    assert trace_of(everything.spans["inner"]) == other
    assert everything.spans["inner"].parent != everything.spans["outer"].get_span_context()


def test_work_that_fails_says_what_kind_of_error_and_never_its_words(everything: Recorded) -> None:
    with pytest.raises(ValueError, match="words"), everything.observability.track("order.submit", TRACE):
        raise ValueError("the words of the error")
    span = everything.spans["order.submit"]
    assert (span.status.is_ok, span.status.description, span.events) == (False, "ValueError", ())
    assert 'ares_tracked_seconds_count{name="order.submit",outcome="failed"}' in generate_latest().decode()


def test_nothing_is_recorded_of_a_trace_that_is_not_kept_but_its_latency_is_measured() -> None:
    nothing = Recorded(0.0)
    nothing.observability.record("ingest.batch", TRACE, 5, 9)
    with nothing.observability.track("unkept.work", TRACE), nothing.observability.track("unkept.inside"):
        pass
    assert nothing.spans == {}
    page = generate_latest().decode()
    assert 'ares_tracked_seconds_count{name="unkept.work",outcome="ok"} 1.0' in page
    assert 'ares_tracked_seconds_count{name="unkept.inside",outcome="ok"} 1.0' in page
    nothing.provider.shutdown()


def test_without_a_tracer_work_is_only_measured() -> None:
    observability = Observability()
    observability.record("ingest.batch", TRACE, 5, 9)
    with observability.track("quiet.work", TRACE) as span:
        span.set_attribute("may", "be said")
    assert not observability.is_recorded(TRACE)
    assert 'ares_tracked_seconds_count{name="quiet.work",outcome="ok"} 1.0' in generate_latest().decode()


def test_request_carries_the_trace_it_is_made_in_to_another_process() -> None:
    asking, asked = Recorded(1.0), Recorded(0.0)
    with asking.observability.track("order.submit", TRACE):
        headers = asking.observability.headers()
        assert asking.observability.current_trace_id() == TRACE
    with asked.observability.continuing({"Traceparent": headers["traceparent"]}):
        assert structlog.contextvars.get_contextvars()["trace_id"] == TRACE
        with asked.observability.track("command"):
            assert asked.observability.current_trace_id() == TRACE
    assert "trace_id" not in structlog.contextvars.get_contextvars()
    submit, command = asking.spans["order.submit"], asked.spans["command"]
    assert command.parent is not None
    assert command.parent.span_id == submit.get_span_context().span_id
    assert trace_of(command) == TRACE
    for each in (asking, asked):
        each.provider.shutdown()


@pytest.mark.parametrize("share", [1.0, 0.1, 0.000_001])
def test_what_a_person_asks_for_is_always_recorded(share: float) -> None:
    recorded = Recorded(share)
    with recorded.observability.continuing(Observability().headers()), recorded.observability.track("command"):
        trace_id = recorded.observability.current_trace_id()
    assert recorded.observability.is_recorded(trace_id)
    assert trace_of(recorded.spans["command"]) == trace_id
    recorded.provider.shutdown()


@pytest.mark.parametrize("said", [{}, {"traceparent": "garbage"}, {"traceparent": f"00-{0:032x}-{0:016x}-01"}])
def test_headers_that_name_no_trace_change_nothing(said: dict[str, str]) -> None:
    observability = Observability()
    with observability.continuing(said):
        assert observability.current_trace_id() == ""
        assert "trace_id" not in structlog.contextvars.get_contextvars()
