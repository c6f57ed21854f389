"""`ares audit`: was anything changed after it was written down?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer

from ares.commands.access import created, opened_control
from ares.commands.compliance import compliance, compliance_verify
from ares.commands.output import console, print_rows
from ares.errors import AuditBroken, UsageError
from ares.security.audit.witness import verify_with
from ares.service.auditing import witness_dir

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Verify and export the audit chain.")
app.command()(compliance)
app.command()(compliance_verify)


@app.command()
def verify(
    witness: Annotated[
        Path | None, typer.Option(help="The folder of signed heads, kept elsewhere; default: as configured.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Check every entry, its place and the signed heads; exit 1 if any is wrong. Example: ares audit verify"""
    with opened_control() as (context, control):
        folder = witness or witness_dir(context)
        if witness is not None and not folder.is_dir():
            raise UsageError(f"witness = {str(witness)!r}: no such folder. Give the one that holds heads.jsonl")
        verdict = verify_with(control, folder)
    print_rows(
        [{"kind": f.kind, "writer": f.writer, "seq": f.seq, "detail": f.detail} for f in verdict.faults], json=json
    )
    if verdict.faults:
        first = verdict.faults[0]
        raise AuditBroken(f"{len(verdict.faults)} faults; the first: {first.writer} {first.seq} {first.kind}")
    if not json:
        if not verdict.heads:
            console.print(f"No signed heads in {folder}: that the end was not cut off nothing can prove yet.")
        console.print(f"whole: {verdict.entries} entries of {verdict.writers} writers, {verdict.heads} signed heads")
        if folder.resolve().is_relative_to(context.state_dir):
            console.print("The heads lie beside the chain: that nobody rewrote both, only a copy elsewhere can prove.")


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="A file of JSON lines.")],
) -> None:
    """Write all entries with their hashes, one JSON object a line. Example: ares audit export audit.jsonl"""
    with opened_control() as (_, control), created(out) as file:
        entries = 0
        for link in control.audit_links():
            body = {"writer": link.writer, "seq": link.seq, "hash": link.hash, "entry": _entry(link.text)}
            file.write(orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE))
            entries += 1
    console.print(f"{entries} entries in {out}")


def _entry(text: str) -> object:
    """An entry as it was written; one that was changed into something else is exported as the text it is."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
