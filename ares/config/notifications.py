"""What people are told of, and by what: what can be set."""

from __future__ import annotations

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from ares.config.hosts import is_here
from ares.config.section import Count, Reloadable, Seconds, Section, require_order


class NotificationsConfig(Section):
    """The service `notifier`. Who is told what, and where, are no settings: `ares user notify` sets it up."""

    enabled: bool = Field(default=False, description="`ares up` runs it")
    telegram_token: SecretStr | None = Field(None, description="of the bot that people link their chats to")
    telegram_url: str = Field("https://api.telegram.org", description="where its Bot API is")
    telegram_poll_s: Annotated[float, Field(gt=0, le=50)] = Field(
        25.0, description="so long Telegram holds a question for new messages open"
    )
    send_s_max: Annotated[float, Field(gt=0, le=60)] = Field(10.0, description="an answer of a target takes no longer")
    gather_s: Reloadable[Seconds] = Field(2.0, description="what happens within becomes one message")
    messages_per_minute: Reloadable[Count] = Field(20, description="of one target; what is more waits and is merged")
    retry_s_min: Seconds = Field(5.0, description="the first wait for a target that failed; it doubles")
    retry_s_max: Seconds = 600.0
    paused_after_s: Reloadable[Seconds] = Field(
        21_600.0, description="a target that failed for so long is paused until a test reaches it"
    )
    link_s_max: Reloadable[Seconds] = Field(600.0, description="a code that links a chat is good for so long")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        require_order(self.retry_s_min, self.retry_s_max, "retry_s_min, _max")
        address = urlsplit(self.telegram_url)
        if address.scheme != "https" and not (address.scheme == "http" and is_here(address.hostname or "")):
            raise ValueError(f"telegram_url = {self.telegram_url!r}: the token goes there. Take https, or this machine")
        return self
