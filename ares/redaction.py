"""Keeps secrets out of everything that is said: each one that this process ever read is known here by its value.

A secret's name hides it where it is a field of its own; its value hides it in an error message of a library, in a
traceback, in a URL.
"""

from __future__ import annotations

import json
import re
from threading import Lock
from urllib.parse import quote, urlsplit

HIDDEN = "(hidden)"
CHARACTERS_MIN = 6
"""Shorter values are words of every other line: to blank them would hide what is said, not what is secret."""


class Redactor:
    """Blanks known values in texts; safe for threads."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._lock = Lock()

    def learn(self, secret: str) -> None:
        """From now on hide this value, as it is and as JSON and URLs write it; of a URL, its password."""
        with self._lock:
            values = {value for value in _forms(_password_of(secret)) if len(value) >= CHARACTERS_MIN}
            if values <= self._values:
                return
            self._values |= values
            longest_first = sorted(self._values, key=len, reverse=True)
            self._pattern = re.compile("|".join(re.escape(value) for value in longest_first))

    def __call__(self, text: str) -> str:
        """The text without any value that was learnt."""
        return text if self._pattern is None else self._pattern.sub(HIDDEN, text)


def _forms(secret: str) -> set[str]:
    return {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], quote(secret, safe="")}


def _password_of(secret: str) -> str:
    """What is secret of a URL; anything else is secret as a whole."""
    if "://" not in secret:
        return secret
    try:
        return urlsplit(secret).password or ""
    except ValueError:
        return secret


redact = Redactor()
"""The one of this process."""
