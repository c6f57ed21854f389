"""SQL lives in .sql files, one named block a query; Python never puts SQL together.

-- latest_bars: the newest bar of every symbol.
SELECT * FROM bars_1m LATEST ON ts PARTITION BY venue, symbol;
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources

COMMENT = re.compile(r"--[^\n]*")
_HEADER = re.compile(r"^-- (?P<name>[a-z][a-z0-9_]*): (?P<purpose>\S.*)$", re.MULTILINE)


def load_queries(package: str, resource: str) -> Mapping[str, str]:
    """Read `resource` (a path inside `package`) as name → statement.

    Raises ValueError for a file without a named block or with two blocks of one name: a programmer's error.
    """
    text = resources.files(package).joinpath(resource).read_text(encoding="utf-8")
    return split_queries(text)


def split_queries(text: str) -> Mapping[str, str]:
    """The named blocks of one file, comments kept (the server ignores them), trailing semicolons dropped."""
    headers = list(_HEADER.finditer(text))
    if not headers:
        raise ValueError("no '-- name: what it answers' header in this SQL file")
    queries: dict[str, str] = {}
    for header, following in zip(headers, [*headers[1:], None], strict=True):
        name = header["name"]
        if name in queries:
            raise ValueError(f"two blocks are named {name!r}")
        end = following.start() if following else len(text)
        queries[name] = text[header.end() : end].strip().rstrip(";").strip()
    return queries


def split_statements(text: str) -> list[str]:
    """Split a file at its semicolons; those in comments and quotes do not count."""
    parts: list[str] = []
    current: list[str] = []
    for piece in re.findall(r"--[^\n]*|'(?:[^']|'')*'|;|[^;'-]+|-", text):
        if piece == ";":
            parts.append("".join(current).strip())
            current = []
        else:
            current.append(piece)
    parts.append("".join(current).strip())
    return [part for part in parts if COMMENT.sub("", part).strip()]
