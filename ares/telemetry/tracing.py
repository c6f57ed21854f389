"""Traces from a venue's frame to our fill, across processes that meet only in the database.

A trace is about one minute of one instrument: its id is a pure function of venue, symbol and minute, so every process
knows it without being told, and all decide alike whether it is recorded. `observability.track` is the one way to
measure a piece of work: a latency in the metrics always, a span where its trace is recorded, its trace id on log lines.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import lru_cache

import structlog
from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, StatusCode, TraceFlags, Tracer, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ares.telemetry import metrics

LOW_BITS = 2**64 - 1
"""What OpenTelemetry's TraceIdRatioBased looks at; we do the same, so that collectors and we agree."""

Attribute = str | int | float | bool


_W3C = TraceContextTextMapPropagator()


def new_trace_id() -> str:
    """For what a person asked for. Its lower half is so small that every share above 0 records it."""
    return f"{secrets.token_hex(8)}{0:08x}{secrets.token_hex(4)}"


@lru_cache(maxsize=4_096)
def trace_id_of(venue: str, symbol: str, minute: int) -> str:
    """The trace of a minute (since 1970, UTC) of an instrument: 32 hex digits."""
    text = f"{venue}\x1f{symbol}\x1f{minute}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class Observability:
    """Measures work. Until `record_by` is called no span is recorded, and the metrics are all that is kept."""

    def __init__(self) -> None:
        self._tracer: Tracer | None = None
        self._threshold = 0

    def record_by(self, tracer: Tracer | None, share: float) -> None:
        """From now on record this share of all traces; None: nothing."""
        self._tracer = tracer
        self._threshold = round(share * (LOW_BITS + 1))

    @property
    def records(self) -> bool:
        """Whether any trace is kept; where none is, its parts need not be gathered."""
        return self._tracer is not None

    def is_recorded(self, trace_id: str) -> bool:
        """Whether spans of this trace are kept; the same answer in every process of the same share."""
        return self._tracer is not None and int(trace_id, 16) & LOW_BITS < self._threshold

    @contextmanager
    def track(self, name: str, trace_id: str = "", **attributes: Attribute) -> Iterator[Span]:
        """Measure the block. Without a `trace_id` it belongs to what is tracked around it, else to a trace of its own.

        The span that is given takes more attributes while the block runs.
        """
        began_s, outcome = time.perf_counter(), "ok"
        try:
            with ExitStack() as stack:
                span = self._entered(stack, name, trace_id, attributes)
                try:
                    yield span
                except BaseException as error:
                    outcome = "failed"
                    span.set_status(StatusCode.ERROR, type(error).__name__)
                    raise
        finally:
            metrics.TRACKED_SECONDS.labels(name, outcome).observe(time.perf_counter() - began_s)

    def record(self, name: str, trace_id: str, start_ns: int, end_ns: int, **attributes: Attribute) -> None:
        """Keep a span of work that is over and served several traces at once; its latency is measured elsewhere."""
        if self._tracer is not None and self.is_recorded(trace_id):
            context = self._context(trace_id)
            self._tracer.start_span(name, context, start_time=start_ns, attributes=attributes).end(end_ns)

    def headers(self) -> dict[str, str]:
        """For a request to another of our processes, W3C's: it goes on with the trace we are in, else begins one."""
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        return carrier or {"traceparent": f"00-{new_trace_id()}-{secrets.token_hex(8)}-01"}

    @contextmanager
    def continuing(self, headers: Mapping[str, str]) -> Iterator[None]:
        """What is tracked in the block belongs to the trace that a request's headers name, if they do."""
        context = _W3C.extract({name.lower(): value for name, value in headers.items()})
        named = trace.get_current_span(context).get_span_context()
        if not named.is_valid:
            yield
            return
        token = attach(context)
        try:
            with structlog.contextvars.bound_contextvars(trace_id=format_trace_id(named.trace_id)):
                yield
        finally:
            detach(token)

    def current_trace_id(self) -> str:
        """Of the trace that we are in, 32 hex digits; empty outside any."""
        here = trace.get_current_span().get_span_context()
        return format_trace_id(here.trace_id) if here.is_valid else ""

    def _entered(self, stack: ExitStack, name: str, trace_id: str, attributes: Mapping[str, Attribute]) -> Span:
        if trace_id:
            stack.enter_context(structlog.contextvars.bound_contextvars(trace_id=trace_id))
        if self._tracer is None:
            return trace.INVALID_SPAN
        manager = self._tracer.start_as_current_span(
            name,
            self._context(trace_id),
            attributes=attributes,
            record_exception=False,  # its message may hold what no trace should
            set_status_on_exception=False,
        )
        return stack.enter_context(manager)

    def _context(self, trace_id: str) -> Context | None:
        """Where a span of this trace hangs: on the current span if that is of the same trace, else on its root."""
        if not trace_id:
            return None
        number = int(trace_id, 16)
        if trace.get_current_span().get_span_context().trace_id == number:
            return None
        flags = TraceFlags(TraceFlags.SAMPLED if self.is_recorded(trace_id) else TraceFlags.DEFAULT)
        root = SpanContext(number, number >> 64, is_remote=True, trace_flags=flags)
        return trace.set_span_in_context(NonRecordingSpan(root), Context())


observability = Observability()
"""The one of this process."""
