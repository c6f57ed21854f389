"""Where the spans of a process go: to a collector over OTLP, or as rows of the table `spans`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import orjson
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import format_span_id, format_trace_id

from ares.config.settings import AresConfig
from ares.errors import StoreError
from ares.model.row import Row
from ares.service.types import ServiceContext
from ares.store import RowWriter
from ares.telemetry import get_logger, metrics
from ares.telemetry.tracing import observability

EXPORT_S = 2.0
FLUSH_MS_MAX = 2_000

log = get_logger(__name__)


class RowSpans(SpanExporter):
    """Spans as rows. Those that QuestDB does not take now are dropped and counted: nobody waits for a trace."""

    def __init__(self, writer: RowWriter) -> None:
        self._writer = writer
        self._failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            self._writer.write_sync([span_row(span) for span in spans])
        except StoreError as error:
            if not self._failing:
                log.warning("spans_not_written", cause=error.code)
            self._failing = True
            return SpanExportResult.FAILURE
        self._failing = False
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """The writer is closed by whoever opened it."""


class Counted(SpanExporter):
    """Counts what another exporter does."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        outcome = "written" if result is SpanExportResult.SUCCESS else "dropped"
        metrics.SPANS.labels(outcome).inc(len(spans))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


def span_row(span: ReadableSpan) -> Row:
    """A span as the row that analysts read; its name and attributes are words of ours, never messages."""
    context, parent = span.get_span_context(), span.parent
    assert context is not None, "a span that ended has an identity"
    start_ns, end_ns = span.start_time or 0, span.end_time or 0
    return Row(
        "spans",
        start_ns,
        {
            "name": span.name,
            "service": str(span.resource.attributes[SERVICE_NAME]),
            "status": "ok" if span.status.is_ok else span.status.description or "failed",
        },
        {
            "trace_id": format_trace_id(context.trace_id),
            "span_id": format_span_id(context.span_id),
            "parent_id": "" if parent is None else format_span_id(parent.span_id),
            "duration_us": (end_ns - start_ns) // 1_000,
            "attributes": orjson.dumps(dict(span.attributes or {}), default=str, option=orjson.OPT_SORT_KEYS).decode(),
        },
    )


@contextmanager
def tracing(service: str, context: ServiceContext) -> Iterator[None]:
    """Record this process' spans as configured, as long as the block lasts."""
    config = context.config.monitoring
    if config.trace_share == 0:
        yield
        return
    writer = RowWriter(context.config.database)
    resource = Resource({SERVICE_NAME: service, SERVICE_INSTANCE_ID: context.instance})
    sampler = ParentBased(TraceIdRatioBased(config.trace_share))
    provider = TracerProvider(resource=resource, sampler=sampler, shutdown_on_exit=False)
    provider.add_span_processor(
        BatchSpanProcessor(
            Counted(_exporter(context.config, writer)),
            max_queue_size=config.trace_queue_spans_max,
            schedule_delay_millis=round(EXPORT_S * 1_000),
        )
    )
    observability.record_by(provider.get_tracer("ares"), config.trace_share)
    try:
        yield
    finally:
        observability.record_by(None, 0)
        provider.force_flush(FLUSH_MS_MAX)
        provider.shutdown()
        writer.close_sync()


def _exporter(config: AresConfig, writer: RowWriter) -> SpanExporter:
    url = config.monitoring.otlp_url
    if url is None:
        return RowSpans(writer)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - heavy; only for a collector
        OTLPSpanExporter,
    )

    return OTLPSpanExporter(endpoint=url, timeout=config.monitoring.otlp_timeout_s)
