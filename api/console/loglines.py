"""The newest lines of the log files on this machine: what is told where the database tells nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson

from api.moments import moment_ns
from ares.errors import UsageError
from ares.redaction import redact
from ares.service.logfiles import log_file
from ares.store import Record

TAIL_BYTES = 256 * 1024
CHARACTERS_MAX = 1_000
LEVELS = ("debug", "info", "warning", "error", "critical")
_KNOWN = frozenset({"event", "level", "service", "ts"})
_QUESTDB = {"D": "debug", "I": "info", "A": "info", "E": "error", "C": "critical"}


def services(state_dir: Path) -> list[str]:
    """Whose logs there are."""
    return sorted(path.stem for path in log_file(state_dir, "any").parent.glob("*.log"))


def newest(state_dir: Path, service: str, level: str, most: int) -> list[Record]:
    """The newest lines of a service (empty: of all), of a level and worse; newest first. Blocks.

    Of each file only the last 256 KiB are looked at. Raises `UsageError` for a service or a level that is none.
    """
    there = services(state_dir)
    if service and service not in there:
        raise UsageError(f"service = {service!r}: no log of it here. There are: {', '.join(there)}")
    if level and level not in LEVELS:
        raise UsageError(f"level = {level!r}: one of {', '.join(LEVELS)}")
    at_least = LEVELS.index(level) if level else 0
    found = [
        row
        for name in there
        if service in ("", name)
        for row in lines(name, _tail(log_file(state_dir, name)))
        if LEVELS.index(str(row["level"])) >= at_least
    ]
    return sorted(found, key=lambda row: int(str(row["ts"])), reverse=True)[:most]


def lines(name: str, text: str) -> Iterator[Record]:
    """The lines of a log. One that tells no moment (of a traceback) has that of the line before; none: it is left out.

    >>> text = '{"event": "fill_booked", "level": "info", "ts": "2023-11-14T22:13:20Z", "symbol": "BTC/USDT"}'
    >>> [dict(row) for row in lines("trader", text)] == [
    ...     {"ts": 1_700_000_000_000_000_000, "service": "trader", "level": "info", "event": "fill_booked",
    ...      "data": 'symbol=BTC/USDT'}
    ... ]
    True
    """
    ts_ns, level = None, "info"
    for line in redact(text).splitlines():
        said = _json(line)
        if said is not None:
            ts_ns, level = _moment(str(said.get("ts", ""))) or ts_ns, _level(said.get("level"))
            event, data = str(said.get("event", "")), _data(said)
        else:
            first, _, rest = line.partition(" ")
            own_ns = _moment(first)
            if own_ns is not None:
                ts_ns, level = own_ns, _QUESTDB.get(rest[:1], "info")
            event, data = "", rest if own_ns is not None else line
        if ts_ns is not None and (event or data.strip()):
            yield {"ts": ts_ns, "service": name, "level": level, "event": event, "data": data[:CHARACTERS_MAX]}


def data_of(text: str) -> str:
    """What a line says beside its event, as words; `text`: its JSON.

    >>> data_of('{"symbol": "BTC/USDT", "rows": 5}')
    'symbol=BTC/USDT rows=5'
    """
    said = _json(text)
    return text[:CHARACTERS_MAX] if said is None else _data(said)[:CHARACTERS_MAX]


def _data(said: dict[str, object]) -> str:
    return " ".join(f"{key}={value}" for key, value in said.items() if key not in _KNOWN)


def _level(value: object) -> str:
    return str(value) if value in LEVELS else "info"


def _json(line: str) -> dict[str, object] | None:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _moment(text: str) -> int | None:
    try:
        return moment_ns("ts", text)
    except UsageError:
        return None


def _tail(path: Path) -> str:
    """The last whole lines of a file; nothing where it is gone."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            text = file.read(TAIL_BYTES).decode(errors="backslashreplace")
    except OSError:
        return ""
    return text if size <= TAIL_BYTES else text.partition("\n")[2]
