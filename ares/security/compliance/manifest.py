"""What an archive says of itself."""

from __future__ import annotations

import orjson
from pydantic import BaseModel, ConfigDict

from ares.clock import isoformat

FORMAT = "ares-compliance/1"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Period(_Strict):
    """From the first moment to the last, which is excluded: UTC nanoseconds, and the same as text."""

    from_ns: int
    to_ns: int
    first: str
    end_excluded: str

    @classmethod
    def of(cls, from_ns: int, to_ns: int) -> Period:
        """A period with its ends as text."""
        return cls(from_ns=from_ns, to_ns=to_ns, first=isoformat(from_ns), end_excluded=isoformat(to_ns))

    def holds(self, ts_ns: int) -> bool:
        """Whether a moment lies within."""
        return self.from_ns <= ts_ns < self.to_ns


class FileEntry(_Strict):
    """A file of the archive. `lines`: how many records it holds."""

    name: str
    sha256: str
    size: int
    lines: int


class ChainPart(_Strict):
    """What the archive holds of a writer's audit chain: entries `first` to `last`.

    Those up to `last_within` lie in the period or between two that do; those behind it only lead to the next signed
    head. `signed_to`: the newest entry here that a signed head vouches for, 0 for none.
    """

    writer: str
    first: int
    last_within: int
    last: int
    signed_to: int


class Manifest(_Strict):
    """What the archive holds, of which release, and what it lacks. `faults`: of an audit chain that was not whole."""

    format: str
    period: Period
    release: str
    schema_level: int
    files: tuple[FileEntry, ...]
    chains: tuple[ChainPart, ...]
    faults: tuple[str, ...]
    left_out: dict[str, str]

    def text(self) -> bytes:
        """As it is kept."""
        return orjson.dumps(self.model_dump(), option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) + b"\n"
