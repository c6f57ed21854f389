"""The door over HTTP: what can be set."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated

from pydantic import Field, field_validator

from ares.config.section import Count, Port, Reloadable, Seconds, Section


class ApiConfig(Section):
    """The service `api`. Put a TLS proxy or the mesh before it where others than this machine come in."""

    enabled: bool = Field(default=False, description="`ares up` runs it")
    host: str = Field("127.0.0.1", description="0.0.0.0 lets other machines in: then behind TLS only")
    port: Port = 8840
    console: bool = Field(default=True, description="pages for people, under /console on the same port")
    public_url: str = Field(
        "http://127.0.0.1:8840", description="where browsers find the door; an identity provider sends them back there"
    )
    proxies: tuple[str, ...] = Field(
        (), description="addresses and networks of those whose X-Forwarded-For and -Proto are believed; nobody else is"
    )
    rows_max: Reloadable[Annotated[int, Field(ge=1, le=100_000)]] = Field(
        10_000, description="of one page; who wants more follows its cursor"
    )
    body_bytes_max: Count = 262_144
    requests_per_minute: Reloadable[Count] = Field(600, description="of one user; unused ones add up to so many")
    requests_per_minute_address: Reloadable[Count] = Field(
        1_200, description="of one address, whoever asks, before anybody is known"
    )
    sql_s_max: Reloadable[Seconds] = Field(10.0, description="a statement that takes longer is cancelled")
    sql_rows_max: Reloadable[Count] = Field(10_000, description="more are cut off, which the answer says")
    sql_at_once_max: Count = Field(2, description="statements of people at once; more wait")
    reads_at_once_max: Count = Field(
        4, description="collections and ways of orders that are read at once, half of them by one user; more wait"
    )
    request_s_max: Seconds = Field(30.0, description="a request that is not answered by then is given up")
    idle_s_max: Seconds = Field(15.0, description="a connection that says nothing, or not enough, is closed")
    connections_max: Count = 2_000

    @field_validator("proxies")
    @classmethod
    def _addresses(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for each in proxies:
            try:
                ip_network(each)
            except ValueError as error:
                raise ValueError(f"{error}: 10.0.0.7 or 10.0.0.0/8 is expected") from None
        return proxies
