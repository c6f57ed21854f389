"""The way from one region to the venue, on which the venue refuses a key that is bound to other addresses."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import BaseRequestHandler, ThreadingTCPServer

REFUSED = json.dumps({"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}).encode()
ANSWER = (
    b"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
)
BLOCK = 65_536
WAIT_S = 30.0


class Address(ThreadingTCPServer):
    """Passes on every byte until `refuse`; then every request is answered as a venue answers a wrong address."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, venue_port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Line)
        self.venue_port = venue_port
        self.refused = threading.Event()
        self.answers = 0
        self._open: set[socket.socket] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def refuse(self) -> None:
        """The key is bound to another address from now on; connections that stand are closed."""
        self.refused.set()
        for line in list(self._open):
            _shut(line)

    @contextmanager
    def kept(self, *lines: socket.socket) -> Iterator[None]:
        self._open.update(lines)
        try:
            yield
        finally:
            self._open.difference_update(lines)
            for line in lines:
                line.close()


class _Line(BaseRequestHandler):
    server: Address

    def handle(self) -> None:
        if self.server.refused.is_set():
            self.request.settimeout(WAIT_S)
            with contextlib.suppress(OSError):
                self.request.recv(BLOCK)
                self.request.sendall(ANSWER % len(REFUSED) + REFUSED)
                self.server.answers += 1
            return
        venue = socket.create_connection(("127.0.0.1", self.server.venue_port))
        with self.server.kept(self.request, venue):
            back = threading.Thread(target=_pump, args=(venue, self.request), daemon=True)
            back.start()
            _pump(self.request, venue)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while block := source.recv(BLOCK):
            target.sendall(block)
    _shut(target)


def _shut(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)


@contextmanager
def address(venue_port: int) -> Iterator[Address]:
    """One that passes on, until the end of the block."""
    with Address(venue_port) as there:
        thread = threading.Thread(target=there.serve_forever, daemon=True)
        thread.start()
        yield there
        there.shutdown()
