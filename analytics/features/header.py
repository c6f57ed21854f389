"""Reads what a feature or a signal says of itself: the comment before its CREATE VIEW.

    -- rsi_14_v1: relative strength over 14 bars: 100 = only rises, 0 = only falls.
    -- Free prose.
    -- Entity: venue, symbol, minute (ts = start).
    -- Inputs: bars_1m_checked.
    -- Unit: 0 to 100.
    -- Known after: the minute's end and the watermark behind it.
    -- Warm-up: 14 bars. NULL across a gap and until the warm-up is whole.
    -- Owner: research.
    -- Checks: between 0 and 100 (fail); null share <= 0.2 (warn).

A label begins a line; what follows it goes on until the next label.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from ares.errors import UsageError
from ares.store.lineage import reads_of

Grade = Literal["fail", "warn"]
What = Literal["between", "null_share", "distinct"]

LABELS = ("Entity", "Inputs", "Unit", "Known after", "Warm-up", "Owner", "Checks")
WARM_UP_BARS_MAX = 10_000
ENTITY = ("venue", "symbol", "minute")

_LABEL = re.compile(rf"^({'|'.join(LABELS)}):\s*(.*)$")
_TITLE = re.compile(r"^([a-z][a-z0-9_]*_v[1-9][0-9]*):\s+(\S.*)$")
_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_BETWEEN = re.compile(rf"^between ({_NUMBER}) and ({_NUMBER}) \((fail|warn)\)$")
_NULL_SHARE = re.compile(rf"^null share <= ({_NUMBER}) \((fail|warn)\)$")
_DISTINCT = re.compile(r"^distinct >= (\d+) \((fail|warn)\)$")
_WARM_UP = re.compile(r"^(?:(none)\b|(?:\d+ to )?(\d+) bars?\b)", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[a-z)0-9])\.\s")


@dataclass(frozen=True, slots=True)
class Check:
    """What must hold of the values: all between two numbers, few NULLs, or so many different ones."""

    what: What
    low: float
    high: float
    grade: Grade

    @property
    def limit(self) -> str:
        """What is demanded, in words."""
        match self.what:
            case "between":
                return f"between {self.low:g} and {self.high:g}"
            case "null_share":
                return f"null share <= {self.high:g}"
            case "distinct":
                return f"distinct >= {self.low:g}"


@dataclass(frozen=True, slots=True)
class Header:
    """A header, read. `warm_up_bars`: how many bars a value rests on at most, as it says; 0 = only its own."""

    view: str
    sentence: str
    prose: str
    entity: str
    inputs: tuple[str, ...]
    unit: str
    known_after: str
    warm_up: str
    warm_up_bars: int
    owner: str
    checks: tuple[Check, ...]


def parse_header(source: str, sql: str) -> Header:
    """The header of one statement. Raises `UsageError`, which names the file, what is wrong and what is wanted."""
    lines = [line[2:].strip() for line in _head(sql)]
    title, labelled = _split(source, lines)
    said = _require_all(source, labelled)
    named = _TITLE.match(title)
    if named is None:
        raise _wrong(source, title, "'-- NAME_vN: one sentence.' as its first line")
    sentence, prose = _first_sentence(named[2])
    warm_up = _warm_up(source, said["Warm-up"])
    return Header(
        view=named[1],
        sentence=sentence,
        prose=prose,
        entity=_entity(source, said["Entity"]),
        inputs=_inputs(source, said["Inputs"]),
        unit=said["Unit"].rstrip("."),
        known_after=said["Known after"].rstrip("."),
        warm_up=said["Warm-up"],
        warm_up_bars=warm_up,
        owner=said["Owner"].rstrip("."),
        checks=_checks(source, said["Checks"]),
    )


def require_inputs(source: str, header: Header, sql: str, known: Iterable[str]) -> None:
    """Raises `UsageError` unless the header names exactly what the statement reads of the `known` tables and views."""
    read = reads_of(sql, known) - {header.view}
    if read != set(header.inputs):
        raise _wrong(source, f"Inputs: {', '.join(header.inputs)}", f"'-- Inputs: {', '.join(sorted(read))}.'")


def _head(sql: str) -> list[str]:
    head: list[str] = []
    for line in sql.strip().splitlines():
        if not line.startswith("--"):
            break
        head.append(line)
    return head


def _split(source: str, lines: list[str]) -> tuple[str, Mapping[str, str]]:
    """The text before the first label, and that of every label."""
    title: list[str] = []
    labelled: dict[str, list[str]] = {}
    current = title
    for line in lines:
        label = _LABEL.match(line)
        if label is not None:
            if label[1] in labelled:
                raise _wrong(source, line, f"'-- {label[1]}:' once")
            current = labelled[label[1]] = []
        current.append(line if label is None else label[2])
    return " ".join(title).strip(), {label: " ".join(text).strip() for label, text in labelled.items()}


def _require_all(source: str, labelled: Mapping[str, str]) -> Mapping[str, str]:
    for label in LABELS:
        if not labelled.get(label, "").rstrip("."):
            raise _wrong(source, "header", f"a line '-- {label}: ...' before its CREATE VIEW")
    return labelled


def _first_sentence(text: str) -> tuple[str, str]:
    parts = _SENTENCE.split(text, maxsplit=1)
    return parts[0].rstrip(".") + ".", parts[1] if len(parts) > 1 else ""


def _entity(source: str, text: str) -> str:
    if tuple(word.strip() for word in text.partition("(")[0].rstrip(". ").split(",")) != ENTITY:
        raise _wrong(source, f"Entity: {text}", "'-- Entity: venue, symbol, minute (ts = start).'")
    return text.rstrip(".")


def _inputs(source: str, text: str) -> tuple[str, ...]:
    names = [name.strip() for name in re.sub(r"\([^)]*\)", "", text).rstrip(". ").split(",")]
    if not all(re.fullmatch(r"[a-z_]\w*", name) for name in names):
        raise _wrong(source, f"Inputs: {text}", "names of tables and views, as in '-- Inputs: bars_1m_checked, gaps.'")
    return tuple(names)


def _warm_up(source: str, text: str) -> int:
    found = _WARM_UP.match(text)
    bars = 0 if found is None or found[1] else int(found[2])
    if found is None or bars > WARM_UP_BARS_MAX:
        raise _wrong(source, f"Warm-up: {text}", f"'-- Warm-up: none.' or 'N bars', N <= {WARM_UP_BARS_MAX}")
    return bars


def _checks(source: str, text: str) -> tuple[Check, ...]:
    return tuple(_check(source, part.strip()) for part in text.rstrip(". ").split(";"))


def _check(source: str, text: str) -> Check:
    if found := _BETWEEN.match(text):
        low, high = float(found[1]), float(found[2])
        if low <= high:
            return Check("between", low, high, _grade(found[3]))
    if (found := _NULL_SHARE.match(text)) and 0 <= float(found[1]) <= 1:
        return Check("null_share", 0.0, float(found[1]), _grade(found[2]))
    if found := _DISTINCT.match(text):
        return Check("distinct", float(found[1]), float("inf"), _grade(found[2]))
    wanted = "'between LOW and HIGH (fail)', 'null share <= X (warn)' or 'distinct >= N (warn)', parted by ';'"
    raise _wrong(source, f"Checks: {text}", wanted)


def _grade(text: str) -> Grade:
    return "fail" if text == "fail" else "warn"


def _wrong(source: str, text: str, wanted: str) -> UsageError:
    return UsageError(f"{source} = {text[:100]!r}: not a header of a feature or signal. Wanted is {wanted}")
