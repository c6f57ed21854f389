"""Who may come in through the door, and how: what can be set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from ares.config.section import Count, Reloadable, Seconds, Section


class OidcConfig(Section):
    """Logging in by an identity provider (OpenID Connect), beside passwords; off while `issuer` is empty.

    It says who somebody is, and nothing else: an admin links its subjects to users, whose roles are ours.
    """

    issuer: str = Field("", description="https://…, as its discovery document has it; plain http here, in dev")
    client_id: str = Field("", description="what the provider calls us")
    client_secret: SecretStr | None = Field(None, description="unset: a public client, proved by PKCE alone")
    timeout_s: Seconds = Field(5.0, description="for each question to the provider")
    login_s_max: Reloadable[Seconds] = Field(600.0, description="so long somebody may take to log in there")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.issuer and not self.client_id:
            raise ValueError("issuer is set and client_id is not: the provider has to know us by a name")
        return self


class AccessConfig(Section):
    """Users, sessions, keys. Users themselves are not settings: `ares user add` makes the first."""

    key: SecretStr | None = Field(
        None, description="signs tokens and seals second factors: 32 bytes in base64, a line each, newest first"
    )
    key_file: Path | None = Field(None, description="the same in a file; neither: made once, <state_dir>/access.key")
    token_s: Reloadable[Annotated[float, Field(ge=10, le=3600)]] = Field(
        600.0, description="an access token is good for so long; its session can be ended at any moment before"
    )
    session_s_max: Reloadable[Seconds] = Field(43_200.0, description="then everybody logs in again")
    idle_s_max: Reloadable[Seconds] = Field(7_200.0, description="a session that was not refreshed for longer is over")
    failed_logins_max: Reloadable[Count] = Field(5, description="then a user is locked for a while, and ever longer")
    failed_from_address_max: Reloadable[Count] = Field(
        50, description="within an hour, then an address is; whoever's names it tried"
    )
    locked_s_min: Reloadable[Seconds] = 30.0
    locked_s_max: Reloadable[Seconds] = 3_600.0
    code_age_s_max: Reloadable[Seconds] = Field(
        300.0, description="what is dangerous wants a second factor that was shown no longer ago"
    )

    oidc: OidcConfig = OidcConfig()

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if self.key is not None and self.key_file is not None:
            raise ValueError("key and key_file are both set: leave one out")
        if self.locked_s_min > self.locked_s_max:
            raise ValueError("locked_s_min is longer than locked_s_max")
        return self
