"""What a provider does to copy a bucket into another region: each object by itself, in no promised order, late."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPResponse
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

KEY = re.compile(r"<Key>([^<]+)</Key>")
NEXT = re.compile(r"<NextContinuationToken>([^<]+)</NextContinuationToken>")
SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=of-a-test/20260101/us-east-1/s3/aws4_request"}
"""A local S3 looks whether somebody signed, not what."""


@dataclass(frozen=True)
class Replication:
    """From one bucket to another of the same server; what is deleted here stays there."""

    url: str
    source: str
    target: str

    def begin(self) -> None:
        """Make the bucket that is copied to."""
        with self._asked("PUT", f"/{self.target}"):
            pass

    def behind(self) -> set[str]:
        """What has not arrived yet."""
        return self.keys(self.source) - self.keys(self.target)

    def catch_up(self, arrives: Callable[[str], bool] = lambda _: True) -> set[str]:
        """Copy what lags behind, or of it what `arrives`; returns what did not."""
        left = set()
        for key in sorted(self.behind()):
            if not arrives(key):
                left.add(key)
                continue
            there = {"x-amz-copy-source": f"/{self.source}/{quote(key)}"}
            try:
                self._asked("PUT", f"/{self.target}/{quote(key)}", there).close()
            except HTTPError as error:
                if error.code != HTTPStatus.NOT_FOUND:  # a lock, say, that was let go meanwhile
                    raise
        return left

    def keys(self, bucket: str) -> set[str]:
        """All objects of a bucket."""
        found: set[str] = set()
        token = ""
        while True:
            with self._asked("GET", f"/{bucket}?list-type=2{token}") as answer:
                text = answer.read().decode()
            found |= set(KEY.findall(text))
            more = NEXT.search(text)
            if more is None:
                return found
            token = f"&continuation-token={quote(more[1], safe='')}"

    def _asked(self, method: str, path: str, headers: dict[str, str] | None = None) -> HTTPResponse:
        request = Request(self.url + path, method=method, headers=SIGNED | (headers or {}))
        answer = urlopen(request, timeout=30)
        assert isinstance(answer, HTTPResponse)
        return answer
