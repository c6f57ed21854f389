"""An S3 before another one, which does what moto's does not: a bucket with a default of object lock takes nothing
without its checksum (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html).

    python -m tests.s3_locked URL PORT
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError
from urllib.request import Request, urlopen

_OF_ONE_HOP = {"connection", "transfer-encoding", "content-length", "date", "server"}


class _Locked(BaseHTTPRequestHandler):
    url = sys.argv[1]

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        names = {name.lower() for name in self.headers}
        if self.command == "PUT" and not any(name == "content-md5" or "x-amz-checksum" in name for name in names):
            self._answer(
                400, {}, b"<Error><Code>InvalidRequest</Code><Message>Content-MD5 is required</Message></Error>"
            )
            return
        headers = {"Content-Type": "application/octet-stream", **self.headers}
        request = Request(f"{self.url}{self.path}", body or None, headers, method=self.command)
        try:
            with urlopen(request, timeout=30) as answer:
                self._answer(answer.status, dict(answer.headers), answer.read())
        except HTTPError as error:
            self._answer(error.code, dict(error.headers), error.read())

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass  # noqa: N815 - the library's names

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        length = headers.get("Content-Length", str(len(body)))
        kept = {name: value for name, value in headers.items() if name.lower() not in _OF_ONE_HOP}
        for name, value in {**kept, "Content-Length": length}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: it would go into the test's output."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), _Locked).serve_forever()
