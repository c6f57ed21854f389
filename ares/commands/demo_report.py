"""What a demo run reports: counts, the model, latencies, and the proof that nothing acknowledged is missing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.error import URLError
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from ares.clock import NANOS_PER_SECOND
from ares.store import Database, Param, Record, load_queries
from ares.store.pool import as_float, as_int

QUERIES = load_queries("ares.commands", "demo.sql")
LATENCY_METRIC = "ares_venue_to_row_seconds"

Json = dict[str, object]


async def build_report(
    database: Database, since: datetime, lateness_s: float, ingest_metrics: Mapping[float, float]
) -> Json:
    """All keys of the report but `processes_left`, which only the end can tell."""
    counts = await database.fetch_one(QUERIES["counts"]) or {}
    gaps = await database.fetch_one(QUERIES["gaps_open"]) or {}
    model = await database.fetch_one(QUERIES["model"]) or {}
    strategies = [row["strategy"] for row in await database.fetch(QUERIES["strategies"])]
    return {
        **counts,
        "gaps_open": gaps.get("gaps_open", 0),
        "strategies": strategies,
        "pnl_quote": await pnl_quote(database),
        "model": {key: model.get(key) for key in ("name", "version", "rows", "auc")},
        "latency_ms": {
            "venue_to_row": {"p50": quantile_ms(ingest_metrics, 0.5), "p99": quantile_ms(ingest_metrics, 0.99)},
            "row_to_signal": await _latency(
                database, "row_to_signal", {"since": since, "lateness_ns": round(lateness_s * NANOS_PER_SECOND)}
            ),
            "signal_to_order": await _latency(database, "signal_to_order", {"since": since}),
            "venue_to_order": await _latency(database, "venue_to_order", {"since": since}),
        },
        "acked_not_stored": await acked_not_stored(database),
    }


async def pnl_quote(database: Database) -> float | None:
    """Realised and unrealised profit of all positions, in quote currency."""
    row = await database.fetch_one(QUERIES["pnl"])
    if row is None or row["realised_quote"] is None:
        return None
    return as_float(row["realised_quote"]) + as_float(row["unrealised_quote"] or 0.0)


async def acked_not_stored(database: Database) -> int:
    """Trades at or below the acknowledged watermark that are neither stored nor in an admitted gap."""
    absent = 0
    watermarks = await database.fetch(QUERIES["watermarks"])
    await database.wait_applied(["trades", "gaps"])
    for mark in watermarks:
        if mark["last_seq"] is None:
            continue
        scope: dict[str, Param] = {
            "venue": str(mark["venue"]),
            "symbol": str(mark["symbol"]),
            "last_seq": as_int(mark["last_seq"]),
        }
        stored = await database.fetch_one(QUERIES["stored_up_to"], scope)
        if stored is None or stored["first_seq"] is None:
            continue
        first_seq = as_int(stored["first_seq"])
        admitted = await database.fetch_one(QUERIES["missing_up_to"], {**scope, "first_seq": first_seq})
        missing = as_int(admitted["missing"]) if admitted and admitted["missing"] is not None else 0
        absent += max(0, as_int(mark["last_seq"]) - first_seq + 1 - as_int(stored["stored"]) - missing)
    return absent


async def _latency(database: Database, query: str, params: Mapping[str, Param]) -> Record:
    return await database.fetch_one(QUERIES[query], params) or {"p50": None, "p99": None}


def scrape_buckets(url: str, metric: str) -> dict[float, float]:
    """The cumulative buckets of a histogram, upper bound → count; empty when the service does not answer."""
    try:
        with urlopen(url, timeout=2) as answer:  # noqa: S310 - our own loopback probes
            text = answer.read().decode()
    except (URLError, OSError):
        return {}
    buckets: dict[float, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == f"{metric}_bucket":
                bound = float(sample.labels["le"])
                buckets[bound] = buckets.get(bound, 0.0) + sample.value
    return buckets


def quantile_ms(buckets: Mapping[float, float], share: float) -> float | None:
    """A quantile of a histogram in ms, linear inside its bucket, as Prometheus' histogram_quantile does."""
    total = max(buckets.values(), default=0.0)
    if total == 0:
        return None
    rank, below, start = share * total, 0.0, 0.0
    for bound in sorted(buckets):
        if buckets[bound] >= rank:
            if bound == float("inf"):
                return start * 1000
            inside = buckets[bound] - below
            return (start + (bound - start) * ((rank - below) / inside if inside else 1.0)) * 1000
        below, start = buckets[bound], bound
    raise AssertionError("the last bucket holds all")
