"""Logs and metrics: names declared once, the same words as in rows and dashboards."""

from ares.telemetry.logs import configure_logging, correlation, get_logger, set_level
from ares.telemetry.tracing import observability, trace_id_of

__all__ = ["configure_logging", "correlation", "get_logger", "observability", "set_level", "trace_id_of"]
