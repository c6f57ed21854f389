"""A server of restic's REST protocol for a test, by its documentation, in a thread; it asks for a name and password."""

from __future__ import annotations

import json
import re
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

USER, PASSWORD = "ares", "rest-password"
TYPES = ("data", "keys", "locks", "snapshots", "index")
LIST = "application/vnd.x.restic.rest.v2"


class Handler(BaseHTTPRequestHandler):
    """`/config`, `/TYPE/` and `/TYPE/NAME`, below one folder, and the same below `/journal/`."""

    protocol_version = "HTTP/1.1"
    folder: Path

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name
        """Say nothing."""

    def do_GET(self) -> None:
        path = self._path()
        if path is None:
            return
        if path.is_dir():
            found = [{"name": each.name, "size": each.stat().st_size} for each in path.iterdir()]
            self._answer(HTTPStatus.OK, json.dumps(found).encode(), LIST)
        elif path.is_file():
            self._content(path.read_bytes())
        else:
            self._answer(HTTPStatus.NOT_FOUND)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        path = self._path()
        if path is None:
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if "create=true" in urlsplit(self.path).query:
            for name in TYPES:
                (path / name).mkdir(parents=True, exist_ok=True)
        elif path.exists():
            self._answer(HTTPStatus.FORBIDDEN)
            return
        else:
            path.write_bytes(body)
        self._answer(HTTPStatus.OK)

    def do_DELETE(self) -> None:
        path = self._path()
        if path is not None:
            path.unlink(missing_ok=True)
            self._answer(HTTPStatus.OK)

    def _path(self) -> Path | None:
        """The file that is meant; None after a refusal."""
        wanted = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != wanted:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self._answer(HTTPStatus.UNAUTHORIZED)
            return None
        name = urlsplit(self.path).path.strip("/")
        assert re.fullmatch(r"(journal/?)?(config|(data|keys|locks|snapshots|index)(/[0-9a-f]+)?)?", name), name
        return self.folder / name

    def _content(self, whole: bytes) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked is None:
            self._answer(HTTPStatus.OK, whole)
        else:
            end = int(asked[2]) + 1 if asked[2] else len(whole)
            self._answer(HTTPStatus.PARTIAL_CONTENT, whole[int(asked[1]) : end])

    def _answer(self, status: HTTPStatus, body: bytes = b"", kind: str = "application/octet-stream") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def running_rest(folder: Path, port: int) -> Iterator[str]:
    """Its address."""
    handler = type("HandlerHere", (Handler,), {"folder": folder})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"rest:http://127.0.0.1:{port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
