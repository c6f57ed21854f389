"""The copy to an InfluxDB: what can be set."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from ares.config.section import Count, Reloadable, Seconds, Section, require_order

CopiedTable = Literal["trades", "trades_archive", "quotes", "books", "gaps", "venue_bars_1m"]
"""What may be copied to an InfluxDB."""


class InfluxConfig(Section):
    """Sends a copy of what is stored to an InfluxDB 2, or to what understands its API. Unset: none is sent."""

    url: str | None = Field(None, description="http://host:8086; https outside this machine")
    org: str = ""
    bucket: str = "ares"
    token: Reloadable[SecretStr | None] = Field(None, description="may write to the bucket")
    auth: Literal["token", "basic"] = Field("token", description="basic: the token is user:password")
    ca_file: Path | None = Field(None, description="who vouches for the server; unset: whom the system trusts")
    tables: tuple[CopiedTable, ...] = ("trades", "quotes", "books", "gaps", "venue_bars_1m")
    since: datetime | None = Field(None, description="rows of an earlier ts stay here; unset: all that is stored")
    book_levels: Count = Field(5, description="best levels of each side of a book that are sent")
    settle_s: Reloadable[Seconds] = Field(2.0, description="a span of rows is sent so long after its end")
    sweep_s: Reloadable[Seconds] = Field(30.0, description="rows that came late are looked for this often")
    timeout_s: Seconds = 10.0
    batch_rows_max: Count = Field(5_000, description="rows in one request")
    queue_rows_max: Count = Field(20_000, description="rows held until the target has them")
    backoff_s_min: Seconds = 0.5
    backoff_s_max: Seconds = 30.0

    @property
    def target(self) -> str | None:
        """What tells the InfluxDB from others, in rows; None: there is none."""
        return None if self.url is None else f"{self.url.rstrip('/')}/{self.org}/{self.bucket}"

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        require_order(self.backoff_s_min, self.backoff_s_max, "backoff_s_min, _max")
        if self.url is not None and not self.url.startswith(("http://", "https://")):
            raise ValueError(f"url = {self.url!r}: not an address. Write http://host:8086 or https://host")
        if self.url is not None and "@" in self.url:
            raise ValueError("url holds a name or password: write them as token, with auth = 'basic'")
        return self
