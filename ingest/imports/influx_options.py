"""What was typed of an InfluxDB; apart, so that the command's help need not wait for what reads points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class InfluxOptions:
    """As they were typed; `maps` and `wheres` are "name=value"."""

    url: str | None
    org: str
    bucket: str | None
    measurement: str
    maps: Sequence[str]
    wheres: Sequence[str]
    start: datetime | None
    end: datetime | None
    resolution: Literal["ms", "us", "ns"]
