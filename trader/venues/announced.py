"""When a venue said that it will be worked on, beside what it says of itself (`trader.venues.condition`). Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ares.clock import NANOS_PER_SECOND, isoformat, to_ns
from ares.config.venues import AnnouncedConfig

NOTHING_ANNOUNCED = AnnouncedConfig()


@dataclass(frozen=True, slots=True)
class Window:
    """A span of UTC ns; from `quiet_ns` on, which is its lead before it begins, nothing is opened."""

    quiet_ns: int
    begins_ns: int
    ends_ns: int

    def __str__(self) -> str:
        return f"{isoformat(self.begins_ns)} until {isoformat(self.ends_ns)}"


class Announced:
    """The windows of the venue that is traded on, as the settings have them now.

    A window ends when it was said to, whether the work is done or not: of that the venue tells itself.
    """

    def __init__(self, config: AnnouncedConfig = NOTHING_ANNOUNCED) -> None:
        self._windows: list[Window] = []
        self.cancels = False
        """Whether orders that rest are cancelled as soon as nothing is opened any more."""
        self.reconfigure(config)

    def reconfigure(self, config: AnnouncedConfig) -> None:
        """Hold to these from now on."""
        lead_ns = round(config.maintenance_lead_s * NANOS_PER_SECOND)
        begins = ((to_ns(each.begins), to_ns(each.ends)) for each in config.maintenance)
        self._windows = sorted(
            (Window(begins_ns - lead_ns, begins_ns, ends_ns) for begins_ns, ends_ns in begins),
            key=lambda window: window.begins_ns,
        )
        self.cancels = config.maintenance_cancels

    def window(self, now_ns: int) -> Window | None:
        """The window that is under way or about to be; its end does not belong to it."""
        return next((each for each in self._windows if each.quiet_ns <= now_ns < each.ends_ns), None)

    def obstacle(self, now_ns: int) -> str | None:
        """Why nothing is opened, in a decision's words."""
        return None if self.window(now_ns) is None else "venue_maintenance"

    def said(self, now_ns: int) -> str:
        """The same for people; "" when nothing stands in the way."""
        window = self.window(now_ns)
        return "" if window is None else f"the venue announced maintenance from {window}: nothing is opened until then"
