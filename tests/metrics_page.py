"""A page of all metrics of Ares with something in each, which grows by every look: `python -m tests.metrics_page PORT`.

A process of its own, for the metrics of a process are counted by other tests too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import product

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest

from ares.telemetry import metrics

Metric = Counter | Gauge | Histogram
VALUES = {"outcome": ("ok", "timeout"), "state": ("ACTIVE", "UNKNOWN", "open")}
"""Of labels by whose values boards choose; of all others one value will do."""


def declared() -> Iterator[Metric]:
    for each in vars(metrics).values():
        if isinstance(each, Counter | Gauge | Histogram):
            yield each


def touched(metric: Metric) -> Iterator[Metric]:
    """The metric itself, or its children for all values of its labels."""
    labels = metric._labelnames
    for values in product(*(VALUES.get(label, (f"a_{label}",)) for label in labels)):
        yield metric.labels(*values) if labels else metric


def grow() -> None:
    for metric in declared():
        for child in touched(metric):
            match child:
                case Histogram():
                    child.observe(0.04)
                case Counter() | Gauge():
                    child.inc()


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        grow()
        body = generate_latest(REGISTRY)
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


if __name__ == "__main__":
    with HTTPServer(("127.0.0.1", int(sys.argv[1])), Page) as server:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        server.serve_forever()
