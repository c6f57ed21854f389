"""`ares audit compliance`: one signed archive of a period, and the check that needs nothing but a public key."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from ares.commands.access import opened_control
from ares.commands.moments import moment_of
from ares.commands.output import console, print_rows
from ares.commands.who import operator
from ares.control import AuditEntry, ControlStore, until_it_fits
from ares.errors import UsageError
from ares.security.audit.signer import public_keys
from ares.security.compliance import Archive, Export, Manifest, Period, export_period, verify_archive
from ares.service import ServiceContext
from ares.service.auditing import signer_of, witness_dir, witness_of

WRITER = "compliance"


def compliance(
    from_: Annotated[str, typer.Option("--from", help="First moment, UTC: 2026-10-01 or 2026-10-01T06:30.")],
    to: Annotated[str, typer.Option("--to", help="The moment behind the last: it is not in the period.")],
    out: Annotated[Path, typer.Option(help="The archive, a zip file; there must be none of that name.")],
    broken: Annotated[
        bool, typer.Option("--broken", help="Also if the audit chain is not whole; the archive says so.")
    ] = False,
) -> None:
    """Pack audit, orders, decisions, limits, consents and lineage of a period, signed.

    Example: ares audit compliance --from 2026-10-01 --to 2026-11-01 --out october.zip
    """
    with opened_control() as (context, control):
        period = period_between(from_, to, context.clock.now_ns())
        witness_of(context, control).look()
        export = Export(control, context.config.database, witness_dir(context), signer_of(context), period, broken)
        with Archive.writing(out) as archive:
            manifest, sha256 = asyncio.run(export_period(export, archive, out.with_name(f".{out.name}.parts")))
            _record(context, control, manifest, sha256)
            archive.publish()
    _tell(manifest)
    console.print(
        f"{out}: {len(manifest.files) + 1} files, signed by {export.signer.key_id}, sha256 {sha256}", soft_wrap=True
    )


def compliance_verify(
    archive: Annotated[Path, typer.Argument(help="An archive of `ares audit compliance`.")],
    keys: Annotated[
        Path | None, typer.Option(help="A folder of public keys (*.pub); default: the witness of this installation.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Check every byte of an archive, offline. Example: ares audit compliance-verify october.zip --keys keys/"""
    if keys is None:
        with opened_control() as (context, _):
            keys = witness_dir(context)
    known = public_keys(keys)
    if not known:
        raise UsageError(f"keys = {str(keys)!r}: no public key there. Give the folder that holds <key id>.pub")
    manifest = verify_archive(archive, known)
    print_rows([{"file": each.name, "lines": each.lines, "sha256": each.sha256} for each in manifest.files], json=json)
    if not json:
        _tell(manifest)
        lacking = manifest.faults or manifest.left_out
        what = "genuine, but not whole" if lacking else "genuine and whole"
        console.print(f"{what}: {manifest.period.first} to {manifest.period.end_excluded} (excluded)")


def period_between(from_: str, to: str, now_ns: int) -> Period:
    """A period that is over. Raises `UsageError`."""
    from_ns, to_ns = moment_of("--from", from_), moment_of("--to", to)
    if from_ns >= to_ns:
        raise UsageError(f"--to = {to!r}: not behind --from {from_!r}. Give a later one; it is excluded")
    if to_ns > now_ns:
        raise UsageError(
            f"--to = {to!r}: that moment is still to come. A period must be over; give one that has passed"
        )
    return Period.of(from_ns, to_ns)


def _record(context: ServiceContext, control: ControlStore, manifest: Manifest, sha256: str) -> None:
    """That somebody took such an archive is itself something to audit."""
    after = {"from": manifest.period.first, "to": manifest.period.end_excluded, "sha256": sha256}
    entry = AuditEntry(WRITER, operator(), "compliance_exported", context.clock.now_ns(), after=after)
    until_it_fits(f"audit chain {WRITER}", lambda: control.audit([entry]))


def _tell(manifest: Manifest) -> None:
    for fault in manifest.faults:
        console.print(f"the audit chain was not whole: {fault}", soft_wrap=True)
    for name, reason in manifest.left_out.items():
        console.print(f"without {name}: {reason}", soft_wrap=True)
    for part in manifest.chains:
        if part.signed_to < part.last_within:
            console.print(f"no signed head vouches yet for {part.writer} behind entry {part.signed_to}", soft_wrap=True)
