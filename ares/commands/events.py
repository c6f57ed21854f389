"""`ares events`: what happened, in order; and the proof that the tables say the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.progress import Progress

from ares.clock import SystemClock, to_datetime
from ares.commands.access import created, opened_control
from ares.commands.output import console, errors, print_rows
from ares.config import AresConfig
from ares.control import ControlStore, StoredEvent
from ares.errors import EventUnreadable, LogBroken, UnknownName, UsageError
from ares.events import EventRegistry
from ares.events.bus import EventFilter
from ares.events.projection import chosen
from ares.events.replay import Difference, Proof, Replay, ReplayParts, broken_streams
from ares.store import Database, RowWriter

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Look at the event log; prove the tables by it.")

Category = Annotated[str, typer.Option(help="Only this kind of streams: order, fills, trading_state, config, …")]
Stream = Annotated[str, typer.Option(help="Only streams whose names begin like this: order/paper/")]
Attribute = Annotated[list[str] | None, typer.Option(help="Only events with this attribute: symbol=BTC/USDT")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]

PAGE_EVENTS = 5_000
POLL_S = 0.5
SHOWN_MAX = 10


@app.command()
def tail(
    *,
    rows: Annotated[int, typer.Option(min=1, help="How many of the newest.")] = 20,
    category: Category = "",
    type_: Annotated[str, typer.Option("--type", help="Only this type, by its full name: order.filled")] = "",
    stream: Stream = "",
    attribute: Attribute = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with those that come.")] = False,
    json: Json = False,
) -> None:
    """The newest events, oldest first. Example: ares events tail --category order --attribute symbol=BTC/USDT -f"""
    wanted = _filter(category, type_, stream, attribute)
    with opened_control() as (_, control):
        position, newest = control.log_end(), list[StoredEvent]()
        for event in _backwards(control, position):
            if wanted.matches(event):
                newest.append(event)
            if len(newest) >= rows:
                break
        _print(newest[::-1], json=json)
        clock = SystemClock()
        while follow:
            page = control.log(position, PAGE_EVENTS)
            _print([event for event in page if wanted.matches(event)], json=json, quiet=True)
            position = page[-1].position if page else position
            if not page:
                asyncio.run(clock.sleep(POLL_S))


@app.command()
def show(
    event: Annotated[str, typer.Argument(help="An event's id (STREAM@SEQ), or a stream: all its events.")],
) -> None:
    """Everything that is known of an event, or of a stream's. Example: ares events show trading_state/paper@1"""
    stream, at, number = event.rpartition("@") if "@" in event else (event, "", "")
    if at and not number.isdecimal():
        raise UsageError(f"event = {event!r}: no such id. Ids are STREAM@SEQ, as `ares events tail` shows them")
    registry = EventRegistry.installed()
    with opened_control() as (_, control):
        found = control.read(stream, int(number) - 1)[:1] if at else control.read(stream)
        if not found:
            raise UnknownName("event", event, [e.id for e in control.log(max(0, control.log_end() - 3), 3)])
    for stored in found:
        console.print_json(orjson.dumps(_in_full(stored, registry), default=str).decode())


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="A file of JSON lines.")],
    category: Category = "",
    stream: Stream = "",
    after: Annotated[int, typer.Option(min=0, help="Only events after this position.")] = 0,
) -> None:
    """Write events as they are stored, one JSON object a line. Example: ares events export events.jsonl"""
    wanted = _filter(category, "", stream, None)
    count, position = 0, after
    with opened_control() as (_, control), created(out) as file:
        while page := control.log(position, PAGE_EVENTS):
            for event in page:
                if wanted.matches(event):
                    file.write(orjson.dumps(_as_stored(event), option=orjson.OPT_APPEND_NEWLINE))
                    count += 1
            position = page[-1].position
    console.print(f"{count} events in {out}")


@app.command()
def verify(json: Json = False) -> None:
    """Check that no stream has a hole and that every event can be read; exit 1 if not. Example: ares events verify"""
    registry = EventRegistry.installed()
    faults: list[str] = []
    counts: dict[str, int] = {}
    with opened_control() as (_, control):
        end = control.log_end()
        faults += broken_streams(control.category("", end))
        for stored in control.category("", end):
            counts[stored.category] = counts.get(stored.category, 0) + 1
            try:
                registry.read(stored)
            except EventUnreadable as error:
                faults.append(str(error))
        letters = len(control.dead_letters())
    print_rows([{"category": name, "events": count} for name, count in sorted(counts.items())], json=json)
    if faults:
        raise LogBroken(f"{len(faults)} faults; the first: {faults[0]}")
    if not json:
        console.print(f"whole: {sum(counts.values())} events, {letters} dead letters")


@app.command("dead-letters")
def dead_letters(json: Json = False) -> None:
    """What subscribers, or QuestDB itself, could not take. Example: ares events dead-letters"""
    with opened_control() as (_, control):
        rows = [
            {
                "ts": to_datetime(letter.ts_ns),
                "subscription": letter.subscription,
                "position": letter.position,
                "error": letter.error,
                "content": letter.content,
            }
            for letter in control.dead_letters()
        ]
    print_rows(rows, json=json)


@app.command()
def replay(
    projection: Annotated[list[str] | None, typer.Argument(help="Which; all unless named.")] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="First write all rows that the log means.")] = False,
    json: Json = False,
) -> None:
    """Fold the log into rows and prove the tables equal; exit 1 if they are not. Example: ares events replay orders"""
    with opened_control() as (context, control):
        proofs = asyncio.run(_replay(context.config, control, projection or [], rebuild=rebuild))
    print_rows([_summary(proof) for proof in proofs], json=json)
    if not json:
        for difference in [each for proof in proofs for each in proof.differences][:SHOWN_MAX]:
            console.print(_sentence(difference))
    unequal = [proof.table for proof in proofs if not proof.equal]
    if unequal:
        raise LogBroken(
            f"{', '.join(unequal)}: not what the log says. `ares events replay --rebuild` writes what is missing or "
            "was changed; rows that the log does not know stay"
        )


async def _replay(config: AresConfig, control: ControlStore, names: list[str], *, rebuild: bool) -> list[Proof]:
    projections = chosen(config, names)
    writer = RowWriter(config.database)
    proofs: list[Proof] = []
    try:
        async with await Database.connect(config.database, readonly=True) as database:
            with Progress(console=errors, transient=True) as bar:
                task = bar.add_task("folding", total=None)
                parts = ReplayParts(
                    control,
                    EventRegistry.installed(),
                    database,
                    SystemClock(),
                    writer,
                    lambda events: bar.advance(task, events),
                )
                for projection in projections:
                    bar.update(task, description=f"folding {projection.name}")
                    work = Replay(parts, projection)
                    if rebuild:
                        await work.rebuild()
                    proofs += await work.prove()
    finally:
        await writer.close()
    return proofs


def _summary(proof: Proof) -> dict[str, object]:
    verdict = "equal" if proof.equal else "different"
    return {
        "table": proof.table,
        "events": proof.events,
        "replayed": proof.rows_replayed,
        "live": proof.rows_live,
        "verdict": verdict if not proof.unseen_buckets else f"{verdict}, not all of it looked at closely",
        "missing": sum(each.kind == "missing" for each in proof.differences),
        "extra": sum(each.kind == "extra" for each in proof.differences),
    }


def _sentence(difference: Difference) -> str:
    row = ", ".join(f"{name}={value}" for name, value in difference.row)
    where = "the table lacks it" if difference.kind == "missing" else "the log lacks it"
    return f"{difference.table}: {where}: {row}"


def _backwards(control: ControlStore, end: int) -> Iterator[StoredEvent]:
    while end > 0:
        begin = max(0, end - PAGE_EVENTS)
        page = [event for event in control.log(begin, PAGE_EVENTS) if event.position <= end]
        yield from reversed(page)
        end = begin


def _filter(category: str, type_: str, stream: str, attribute: list[str] | None) -> EventFilter:
    attributes: dict[str, str] = {}
    for each in attribute or []:
        name, equals, value = each.partition("=")
        if not equals:
            raise UsageError(f"attribute = {each!r}: not NAME=VALUE. Say for example --attribute symbol=BTC/USDT")
        attributes[name] = value
    known = EventRegistry.installed().types
    if type_ and type_ not in known:
        raise UnknownName("event type", type_, list(known))
    return EventFilter(
        types=frozenset({type_} if type_ else ()),
        categories=frozenset({category} if category else ()),
        stream=stream,
        attributes=attributes,
    )


def _print(events: list[StoredEvent], *, json: bool, quiet: bool = False) -> None:
    """`quiet`: say nothing of nothing."""
    if json:
        for event in events:
            typer.echo(orjson.dumps(_as_stored(event)).decode())
    elif events or not quiet:
        for event in events:
            console.print(_line(event), soft_wrap=True)
        if not events:
            console.print("(no events)")


def _line(event: StoredEvent) -> str:
    ts = to_datetime(event.ts_ns).isoformat(sep=" ", timespec="milliseconds")
    attributes = " ".join(f"{name}={value}" for name, value in event.attributes.items())
    return f"{event.position:>8}  {ts}  {event.category}.{event.type:<12}  {event.id}  {attributes}".rstrip()


def _as_stored(event: StoredEvent) -> dict[str, object]:
    return {
        "position": event.position,
        "stream": event.stream,
        "seq": event.seq,
        "type": event.type,
        "version": event.version,
        "ts_ns": event.ts_ns,
        "correlation_id": event.correlation_id,
        "causation_id": event.causation_id,
        "attributes": dict(event.attributes),
        "payload": dict(event.payload),
    }


def _in_full(stored: StoredEvent, registry: EventRegistry) -> dict[str, object]:
    """As it was stored, and, where that is of an older version, as it is read now."""
    full = _as_stored(stored) | {"ts": to_datetime(stored.ts_ns).isoformat()}
    known = registry.types.get(f"{stored.category}.{stored.type}")
    if known is not None and stored.version != known.version:
        full |= {"read_as_version": known.version, "body": registry.read(stored).body}
    return full
