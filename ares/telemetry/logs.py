"""Structured logs: static snake_case events, data in keywords, a correlation id on every line of one piece of work."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, TextIO, cast

import structlog

from ares.redaction import HIDDEN, redact

SECRET_WORDS = ("secret", "password", "token", "api_key", "apikey", "signature", "authorization")

Fields = MutableMapping[str, object]
Sink = Callable[[Mapping[str, object]], None]

_SINKS: list[Sink] = []


class Logger(Protocol):
    """What we use of structlog's logger."""

    def debug(self, event: str, **data: object) -> None: ...
    def info(self, event: str, **data: object) -> None: ...
    def warning(self, event: str, **data: object) -> None: ...
    def error(self, event: str, **data: object) -> None: ...
    def exception(self, event: str, **data: object) -> None: ...
    def bind(self, **data: object) -> Logger: ...


def get_logger(name: str) -> Logger:
    """A logger that says which module speaks."""
    return cast("Logger", structlog.get_logger(module=name))


@contextmanager
def correlation(correlation_id: str) -> Iterator[None]:
    """Put `correlation_id` on every log line of this task until the block ends."""
    with structlog.contextvars.bound_contextvars(correlation_id=correlation_id):
        yield


@contextmanager
def handed_to(sink: Sink) -> Iterator[None]:
    """Hand every line of this process to `sink`, too, until the block ends: its fields, secrets hidden, as it is said.

    The sink is called by whichever thread speaks; it must be quick and raise nothing.
    """
    _SINKS.append(sink)
    try:
        yield
    finally:
        _SINKS.remove(sink)


def configure_logging(service: str, level: str, *, json: bool, stream: TextIO | None = None) -> None:
    """Send our own and the libraries' logs to one stream (stderr), as JSON lines or for people."""
    out = stream or sys.stderr
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        _add_service(service),
        hide_secrets,
        _hand_on,
    ]
    if json:
        rendering: list[structlog.typing.Processor] = [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(sort_keys=True, default=str),
        ]
    else:
        # Not rich's tracebacks: they show local variables, and break lines amid a secret, where it is not found.
        plain = structlog.dev.plain_traceback
        rendering = [structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=plain)]
    rendering.append(_without_secrets)
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()]))
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught


def _without_secrets(_logger: object, _method: str, line: object) -> str:
    """The finished line, traceback and all, without the value of any secret that this process knows."""
    return redact(str(line))


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What ends the process is a line of the log as everything else."""
    if issubclass(kind, KeyboardInterrupt):
        return
    structlog.get_logger(module="uncaught").critical("process_failed", exc_info=(kind, error, trace))


def set_level(level: str) -> None:
    """From now on say what is of this level or above: debug, info, warning, error."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(number))
    logging.getLogger().setLevel(max(logging.WARNING, number))


def _add_service(service: str) -> structlog.typing.Processor:
    def add(_logger: object, _method: str, fields: Fields) -> Fields:
        fields["service"] = service
        return fields

    return add


def _hand_on(_logger: object, _method: str, fields: Fields) -> Fields:
    if _SINKS:
        ours = {name: value for name, value in fields.items() if not name.startswith("_")}
        said = structlog.processors.format_exc_info(None, "", ours)
        for sink in _SINKS:
            sink(said)
    return fields


def hide_secrets(_logger: object, _method: str, fields: Fields) -> Fields:
    """Blank every field whose name says that it holds a secret."""
    for name in fields:
        if any(word in str(name).lower() for word in SECRET_WORDS):  # what is nested may be named by numbers
            fields[name] = HIDDEN
        elif isinstance(fields[name], Mapping):
            nested = cast("Mapping[str, object]", fields[name])
            fields[name] = hide_secrets(_logger, _method, dict(nested))
    return fields
