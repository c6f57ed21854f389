"""The guard of a checkpoint: a process that waits for the death of a backup, and releases what that one held.

It imports nothing of ours, so that it is there in a moment and small. It reads its orders from standard input, never
from arguments: they hold a password. It ends when told that all is well; when the pipe ends without that word, nobody
is left who will release.
"""

from __future__ import annotations

import base64
import json
import signal
import ssl
import sys
import time
from pathlib import Path
from typing import TypedDict
from urllib.parse import urlencode
from urllib.request import Request, urlopen

RELEASED = b"released\n"
LAST_READS_S = 0.3
"""The copying program dies with the backup, within milliseconds; until then the checkpoint must hold."""

TRIES_MAX = 120
PAUSE_S = 0.5
"""QuestDB may be away just now, or still at CHECKPOINT CREATE; after that the next backup will release."""
ANSWER_S_MAX = 10.0


class Orders(TypedDict):
    """What to do: the statements, where to send them, and the note to take away in the end."""

    url: str
    user: str
    password: str
    encrypted: bool
    ca_file: str | None
    release: str
    status: str
    note: str


def main() -> None:
    """Wait, then release if nobody else did."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # whoever stops the backup means the backup
    orders: Orders = json.loads(sys.stdin.buffer.readline())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if sys.stdin.buffer.read() == RELEASED:
        return
    time.sleep(LAST_READS_S)
    for _ in range(TRIES_MAX):
        if released(orders):
            Path(orders["note"]).unlink(missing_ok=True)
            return
        time.sleep(PAUSE_S)


def released(orders: Orders) -> bool:
    """Say it, and see that it is so; False if QuestDB does not answer, or will not do it now."""
    try:
        ask(orders, orders["release"])
        return not ask(orders, orders["status"])["dataset"][0][0]
    except (OSError, ValueError, LookupError):
        return False


def ask(orders: Orders, statement: str) -> dict[str, list[list[object]]]:
    """QuestDB's answer over HTTP. Raises `OSError`, also for a refusal."""
    login = base64.b64encode(f"{orders['user']}:{orders['password']}".encode()).decode()
    context = ssl.create_default_context(cafile=orders["ca_file"]) if orders["encrypted"] else None
    question = Request(f"{orders['url']}?{urlencode({'query': statement})}")  # noqa: S310 - http or https, from settings
    question.add_header("Authorization", f"Basic {login}")
    with urlopen(question, timeout=ANSWER_S_MAX, context=context) as answer:  # noqa: S310 - as above
        found: dict[str, list[list[object]]] = json.load(answer)
        return found


if __name__ == "__main__":
    main()
