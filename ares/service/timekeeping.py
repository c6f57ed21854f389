"""Whether the kernel believes that somebody keeps its clock right."""

from __future__ import annotations

import ctypes
import sys

TIME_ERROR = 5
"""What adjtimex(2) returns while the clock is not synchronised."""
TIMEX_BYTES = 512
"""More than any Linux's `struct timex`; zeros at its beginning ask, and change nothing."""


def clock_synchronised() -> bool | None:
    """By adjtimex(2), which chrony, ntpd and systemd-timesyncd all tell; None where it cannot be asked."""
    if sys.platform != "linux":
        return None
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
    return None if state < 0 else state != TIME_ERROR
