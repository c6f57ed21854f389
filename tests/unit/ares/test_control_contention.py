"""Who was too late reads again and says it anew, a bounded number of times."""

from __future__ import annotations

import pytest

from ares.control import once_it_fits, until_it_fits
from ares.errors import SequenceConflict


class Busy:
    """A stream on which others are faster so many times."""

    def __init__(self, times: int) -> None:
        self.left = times

    def say(self) -> str:
        self.left -= 1
        if self.left >= 0:
            raise SequenceConflict("somebody was faster")
        return "said"

    async def say_later(self) -> str:
        return self.say()


async def test_it_is_said_again_while_others_are_faster() -> None:
    assert until_it_fits("limits/paper", Busy(4).say) == "said"
    assert await once_it_fits("limits/paper", Busy(4).say_later) == "said"


async def test_a_stream_that_moves_too_fast_is_named() -> None:
    with pytest.raises(SequenceConflict, match="stream limits/paper moves faster"):
        until_it_fits("limits/paper", Busy(5).say)
    with pytest.raises(SequenceConflict, match="stream limits/paper moves faster"):
        await once_it_fits("limits/paper", Busy(5).say_later)
