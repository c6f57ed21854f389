"""What was changed, in words: values before and after, of audit entries and of settings. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import orjson
from markupsafe import Markup

from api.console.formats import NONE
from ares.store import Record, Value

CHARACTERS_MAX = 300


class Change(NamedTuple):
    """A field, what it was and what it is, as JSON. None: it is not told."""

    field: str
    before: str | None
    after: str | None


def changes(before: Value, after: Value) -> list[Change]:
    """What an audit entry tells: each of its sides names fields, not always the same.

    >>> changes('{"role":"viewer","user":"maria"}', '{"role":"trader","user":"maria","why":""}')
    [Change(field='role', before='"viewer"', after='"trader"'), Change(field='user', before=None, after='"maria"')]
    """
    old, new = _read(before), _read(after)
    return [
        *_told(old, new),
        *(change for field, value in new.items() if _is_list(field, value) for change in listed(value)),
    ]


def listed(value: object) -> list[Change]:
    """Changes that were written down as a list of field, before and after (JSON, or already read).

    >>> listed('[{"field":"api.port","before":1,"after":2}]')
    [Change(field='api.port', before='1', after='2')]
    """
    items = _json(value) if isinstance(value, str) else value
    each = [item for item in items if isinstance(item, dict) and "field" in item] if isinstance(items, list) else []
    return [Change(str(item["field"]), _text(item.get("before")), _text(item.get("after"))) for item in each]


def written(found: Sequence[Change]) -> Markup:
    """Changes, a line each."""
    lines = Markup("").join(
        Markup("<li><code>{}</code> {}<ins>{}</ins></li>").format(change.field, _was(change), _short(change.after))
        for change in found
    )
    return Markup('<ul class="changes">{}</ul>').format(lines) if lines else Markup("")


def breaks(rows: Sequence[Record]) -> list[tuple[str, int]]:
    """Of entries that were found, newest first: writer and place of those that do not follow from the one before.

    >>> row = {"writer": "a", "seq": 2, "hash": "y", "previous_hash": "x"}
    >>> breaks([row, {"writer": "a", "seq": 1, "hash": "x", "previous_hash": ""}]), breaks([row, {**row, "seq": 1}])
    ([], [('a', 2)])
    """
    hashes = {(str(row["writer"]), int(str(row["seq"]))): row["hash"] for row in rows}
    places = ((str(row["writer"]), int(str(row["seq"])), row["previous_hash"]) for row in rows)
    return [
        (writer, seq)
        for writer, seq, previous in places
        if (writer, seq - 1) in hashes and hashes[writer, seq - 1] != previous
    ]


def leaves(tree: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted paths of settings and their values as JSON.

    >>> list(leaves({"api": {"port": 8080, "hosts": ["a"]}}))
    [('api.port', '8080'), ('api.hosts', '["a"]')]
    """
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", orjson.dumps(value).decode()


def tree_of(text: Value) -> Mapping[str, object]:
    """What a row has as a JSON object, settings or arguments; empty where it is none."""
    return _read(text)


def _told(old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[Change]:
    for field in sorted({*old, *new}):
        before, after = _text(old.get(field)), _text(new.get(field))
        if field not in new:
            if not new:  # what is gone as a whole; else it is told to say of what it was, and stays as it is
                yield Change(field, before, None)
        elif not _is_list(field, new[field]) and after not in (None, '""'):
            yield Change(field, before if before != after else None, after)


def _is_list(field: str, value: object) -> bool:
    return field == "changes" and isinstance(value, list)


def _was(change: Change) -> Markup:
    if change.before is None:
        return Markup("")
    gone = Markup('<del><span class="unseen">was </span>{}</del> ').format(_short(change.before))
    return gone if change.after is None else Markup('{}<span aria-hidden="true">→</span> ').format(gone)


def _short(text: str | None) -> str:
    if text is None:
        return ""
    return text if len(text) <= CHARACTERS_MAX else f"{text[:CHARACTERS_MAX]} …"


def _text(value: object) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def _read(text: Value) -> Mapping[str, object]:
    found = _json(str(text or "{}"))
    return found if isinstance(found, dict) else {"": text or NONE}


def _json(text: str) -> object:
    try:
        found: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return found
