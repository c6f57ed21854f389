"""How far a piece of work is, as one process tells another: a line of JSON on standard error. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

STAGE_CHARACTERS_MAX = 100


@dataclass(frozen=True, slots=True)
class Progress:
    """The stage that work is at, and which share of it (0 to 1) is done; None: nobody knows."""

    stage: str
    share: float | None = None

    def line(self) -> str:
        """As it is written.

        >>> Progress("playing", 0.25).line()
        '{"progress":"playing","share":0.25}'
        """
        return orjson.dumps({"progress": self.stage, "share": self.share}).decode()


def told(line: str) -> Progress | None:
    """What a line tells of progress; None: it is about something else.

    >>> told('{"progress":"playing","share":0.25}')
    Progress(stage='playing', share=0.25)
    """
    said = _tree(line)
    stage, share = said.get("progress"), said.get("share")
    if not isinstance(stage, str):
        return None
    known = isinstance(share, int | float) and not isinstance(share, bool) and 0 <= share <= 1
    return Progress(stage[:STAGE_CHARACTERS_MAX], float(share) if known else None)  # type: ignore[arg-type]  # it is


def logged(line: str) -> Progress | None:
    """The event of a line of the log as JSON: what happened last, in a word."""
    event = _tree(line).get("event")
    return Progress(event[:STAGE_CHARACTERS_MAX]) if isinstance(event, str) else None


def _tree(line: str) -> dict[str, object]:
    if not line.startswith("{"):
        return {}
    try:
        said: object = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}
