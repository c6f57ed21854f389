"""Goal: a log line is one JSON object with its correlation id and without secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from ares.telemetry import configure_logging, correlation, get_logger


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers.clear()
    stream = io.StringIO()
    configure_logging("ingest", "info", json=True, stream=stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def parsed(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_line_carries_service_event_data_and_correlation(lines: io.StringIO) -> None:
    with correlation("c-1"):
        get_logger("here").info("feed_lost", venue="sim")
    get_logger("here").debug("not_shown")
    (line,) = parsed(lines)
    assert (line["event"], line["venue"], line["correlation_id"]) == ("feed_lost", "sim", "c-1")
    assert (line["service"], line["level"]) == ("ingest", "info")


def test_correlation_ends_with_its_block(lines: io.StringIO) -> None:
    with correlation("c-1"):
        pass
    get_logger("here").info("later")
    assert "correlation_id" not in parsed(lines)[0]


def test_secrets_are_hidden_however_deep(lines: io.StringIO) -> None:
    get_logger("here").info("sent", api_key="k-123", request={"signature": "s-456", "symbol": "A"})
    assert "k-123" not in lines.getvalue()
    assert "s-456" not in lines.getvalue()
    assert parsed(lines)[0]["request"] == {"signature": "(hidden)", "symbol": "A"}


def test_what_is_nested_may_be_named_by_numbers(lines: io.StringIO) -> None:
    get_logger("here").info("handed_over", committed={3: 17})
    assert parsed(lines)[0]["committed"] == {"3": 17}


def test_library_logs_come_out_in_the_same_form(lines: io.StringIO) -> None:
    logging.getLogger("aiohttp").warning("something %s", "odd")
    (line,) = parsed(lines)
    assert (line["event"], line["service"], line["level"]) == ("something odd", "ingest", "warning")


def test_exception_is_one_line(lines: io.StringIO) -> None:
    try:
        raise ValueError("bad\nvalue")
    except ValueError:
        get_logger("here").exception("failed")
    (line,) = parsed(lines)
    assert "ValueError" in str(line["exception"])


def test_lines_for_people_are_not_json() -> None:
    stream = io.StringIO()
    configure_logging("ingest", "info", json=False, stream=stream)
    get_logger("here").info("hello_there")
    assert "hello_there" in stream.getvalue()
    structlog.reset_defaults()
