"""Structured logs: static snake_case events, data in keywords, a correlation id on every line of one piece of work."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Protocol, TextIO, cast

import structlog

SECRET_WORDS = ("secret", "password", "token", "api_key", "apikey", "signature", "authorization")
HIDDEN = "(hidden)"

Fields = MutableMapping[str, object]


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


def configure_logging(service: str, level: str, *, json: bool, stream: TextIO | None = None) -> None:
    """Send our own and the libraries' logs to one stream (stderr), as JSON lines or for people."""
    out = stream or sys.stderr
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        _add_service(service),
        hide_secrets,
    ]
    if json:
        rendering: list[structlog.typing.Processor] = [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(sort_keys=True, default=str),
        ]
    else:
        rendering = [structlog.dev.ConsoleRenderer(colors=out.isatty())]
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


def hide_secrets(_logger: object, _method: str, fields: Fields) -> Fields:
    """Blank every field whose name says that it holds a secret."""
    for name in fields:
        if any(word in name.lower() for word in SECRET_WORDS):
            fields[name] = HIDDEN
        elif isinstance(fields[name], Mapping):
            nested = cast("Mapping[str, object]", fields[name])
            fields[name] = hide_secrets(_logger, _method, dict(nested))
    return fields
