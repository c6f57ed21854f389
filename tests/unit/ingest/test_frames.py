"""Messages in columns are the same messages."""

from __future__ import annotations

from ingest.feed import Frame, Frames

MESSAGES = [Frame("trades", b"[%d]" % number, number * 10) for number in range(5)]


def test_columns_hold_the_messages_they_were_made_of() -> None:
    frames = Frames.of("trades", iter(MESSAGES))
    assert list(frames) == MESSAGES
    assert (frames[0], frames[-1], len(frames)) == (MESSAGES[0], MESSAGES[-1], 5)
    assert frames.payloads == [message.payload for message in MESSAGES]


def test_part_of_them_is_their_own_columns() -> None:
    frames = Frames.of("trades", MESSAGES)
    part = frames[1:3]
    part.payloads.clear()
    assert list(frames) == MESSAGES
    assert list(frames[3:]) == MESSAGES[3:]
    assert not Frames.of("books", ())
