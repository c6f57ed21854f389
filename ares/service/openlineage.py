"""Lineage in the words of OpenLineage, for catalogues that read it: one RunEvent for a run that was recorded.

Jobs, tables and views are of our namespace; views, features and signals have their text's job as their maker, models
and datasets carry their version as the facet that says so.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import orjson

from ares import __version__
from ares.clock import Clock, to_datetime
from ares.config.lineage import LineageConfig
from ares.control import Json
from ares.errors import OperatingError, VenueUnavailable
from ares.model.lineage import Made
from ares.resilience import Guard, GuardPolicy

EVENT_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACETS = "https://openlineage.io/spec/facets"
PRODUCER = f"urn:ares:{__version__}"
RUNS = uuid.UUID("6d1b4d0e-5a0c-5b53-9f0e-0a3c8f1c9a77")
"""Names of runs that are no UUIDs become ones of this space: the same name, the same run."""
_GUARDS: dict[tuple[str, float], Guard] = {}


def run_event(namespace: str, job: str, run_id: str, ts_ns: int, made: Sequence[Made]) -> dict[str, Json]:
    """The RunEvent of a run that is complete."""
    sources = dict.fromkeys(source for each in made for source in each.sources)
    inputs: list[Json] = [_dataset(namespace, Made(node, ())) for node in sources]
    outputs: list[Json] = [_dataset(namespace, each) for each in made]
    return {
        "eventType": "COMPLETE",
        "eventTime": to_datetime(ts_ns).isoformat().replace("+00:00", "Z"),
        "producer": PRODUCER,
        "schemaURL": EVENT_SCHEMA,
        "run": {"runId": _run_uuid(run_id), "facets": {}},
        "job": {"namespace": namespace, "name": job, "facets": {}},
        "inputs": inputs,
        "outputs": outputs,
    }


def _run_uuid(run_id: str) -> str:
    try:
        return str(uuid.UUID(run_id))
    except ValueError:
        return str(uuid.uuid5(RUNS, run_id))


def _dataset(namespace: str, made: Made) -> dict[str, Json]:
    kind = made.to.kind
    name, _, version = made.to.name.partition("@")
    facets: dict[str, Json] = {
        "dataSource": _facet("1-0-1/DatasourceDatasetFacet", {"name": kind, "uri": f"ares:{kind}"})
    }
    if version:
        facets["version"] = _facet("1-0-1/DatasetVersionDatasetFacet", {"datasetVersion": version})
    if made.columns:
        fields: list[Json] = [{"name": column, "type": typed} for column, typed in made.columns]
        facets["schema"] = _facet("1-2-0/SchemaDatasetFacet", {"fields": fields})
    if made.detail:
        facets["documentation"] = _facet("1-1-0/DocumentationDatasetFacet", {"description": made.detail})
    return {"namespace": namespace, "name": f"{kind}.{name}", "facets": facets}


def _facet(schema: str, fields: dict[str, Json]) -> dict[str, Json]:
    name = schema.rpartition("/")[2]
    return {"_producer": PRODUCER, "_schemaURL": f"{FACETS}/{schema}.json#/$defs/{name}", **fields}


async def tell(config: LineageConfig, events: Iterable[dict[str, Json]], clock: Clock) -> None:
    """Hand events to whoever is configured. Raises `OperatingError` where they cannot be taken."""
    url = config.openlineage_url
    if url is None:
        return
    bodies = [orjson.dumps(event) for event in events]
    if url.startswith("file:"):
        await asyncio.to_thread(_append, Path(url.removeprefix("file:").removeprefix("//")), bodies)
    else:
        await _post(config, url, bodies, clock)


def _append(path: Path, bodies: Iterable[bytes]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(b"".join(body + b"\n" for body in bodies))
    except OSError as error:
        raise OperatingError(f"lineage.openlineage_url: {path}: {error.strerror or error}") from None


async def _post(config: LineageConfig, url: str, bodies: Iterable[bytes], clock: Clock) -> None:
    guard = _guard(url, config.openlineage_timeout_s, clock)
    headers = {"Content-Type": "application/json"}
    if config.openlineage_token is not None:
        headers["Authorization"] = f"Bearer {config.openlineage_token.get_secret_value()}"
    async with aiohttp.ClientSession(headers=headers) as session:
        for body in bodies:
            await guard.call("lineage_event", partial(_posted, session, url, body), idempotent=True)


async def _posted(session: aiohttp.ClientSession, url: str, body: bytes) -> None:
    try:
        async with session.post(url, data=body) as answer:
            status = answer.status
    except aiohttp.ClientError as error:
        raise VenueUnavailable(f"lineage.openlineage_url: {type(error).__name__}") from None
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise VenueUnavailable(f"lineage.openlineage_url: answered {status}")
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        raise OperatingError(f"lineage.openlineage_url: answered {status}")


def _guard(url: str, timeout_s: float, clock: Clock) -> Guard:
    """One for each catalogue, however many runs are told: one that is away is not waited for each time."""
    if (url, timeout_s) not in _GUARDS:
        policy = GuardPolicy(deadline_s=timeout_s, attempts_max=2)
        _GUARDS[url, timeout_s] = Guard(f"openlineage {urlsplit(url).hostname}", clock, policy)
    return _GUARDS[url, timeout_s]
