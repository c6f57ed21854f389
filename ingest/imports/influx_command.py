"""What the command says of an InfluxDB, as sources to read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import SecretStr

from ares.clock import to_ns
from ares.config import AresConfig
from ares.errors import UsageError
from ares.redaction import redact
from ingest.imports import LayoutName
from ingest.imports.columns import UNITS_NS
from ingest.imports.influx_options import InfluxOptions
from ingest.imports.influx_source import ExportFile, InfluxSource, Selection, Server
from ingest.imports.layouts import LAYOUTS
from ingest.influx.client import Endpoint

TOKEN = "INFLUX_TOKEN"  # noqa: S105 - the name of a variable, as InfluxDB's own programs know it
TIMEOUT_S = 60.0
LONG_MAX = 2**63 - 1


def sources_of(
    options: InfluxOptions, files: Sequence[Path], layout: LayoutName, config: AresConfig, now_ns: int
) -> list[InfluxSource]:
    """Each file of an export, or else the server. Raises `UsageError`."""
    if not LAYOUTS[layout].points:
        raise UsageError(f"--layout = {layout!r}: not of points. With --measurement: influx-trades or influx-ohlcv")
    selection = Selection(
        options.measurement,
        roles_of(options.maps, layout),
        tuple(_pair("--where", each) for each in options.wheres),
        to_ns(options.start) if options.start else 0,
        to_ns(options.end) if options.end else LONG_MAX,
        UNITS_NS[options.resolution],
    )
    config.environment.state_dir.mkdir(parents=True, exist_ok=True)
    return [
        InfluxSource(each, selection, config.environment.state_dir)
        for each in _origins(options, files, selection, now_ns)
    ]


def roles_of(maps: Sequence[str], layout: LayoutName) -> dict[str, str]:
    """By role the name of a tag or field: the role's own, if nothing else is said; `trade_id` must be said."""
    known = LAYOUTS[layout].needed
    roles = {role: role for role in known if role not in {"time", "trade_id"}}
    for each in maps:
        role, name = _pair("--map", each)
        if role not in known:
            raise UsageError(f"--map = {each!r}: {layout} has no {role!r}. It has {', '.join(known)}")
        roles["moment" if role == "time" else role] = name
    return roles


def _origins(
    options: InfluxOptions, files: Sequence[Path], selection: Selection, now_ns: int
) -> list[ExportFile] | list[Server]:
    if options.url is None:
        missing = [path for path in files if not path.is_file()]
        if missing:
            raise UsageError(f"FILE = {str(missing[0])!r}: no such file. Check the name; a folder is not read")
        return [ExportFile(path) for path in files]
    if files:
        raise UsageError(f"FILE = {str(files[0])!r}: a file or --influx, not both. Leave one out")
    if not options.url.startswith(("http://", "https://")) or "@" in options.url:
        raise UsageError(
            f"--influx = {redact(options.url)!r}: not an address. Write http://host:8086; the token in {TOKEN}"
        )
    if options.bucket is None or options.start is None:
        lacking = "--bucket" if options.bucket is None else "--from"
        raise UsageError(f"{lacking} = None: an InfluxDB is asked by bucket and time. Say {lacking}")
    token = os.environ.get(TOKEN, "")
    redact.learn(token)
    endpoint = Endpoint(options.url, options.org, options.bucket, SecretStr(token), timeout_s=TIMEOUT_S)
    return [Server(endpoint, selection, now_ns)]


def _pair(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise UsageError(f"{option} = {text!r}: not name=value. Example: {option} price=last")
    return name, value
