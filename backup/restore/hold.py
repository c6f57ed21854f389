"""`ares backup hold`: nothing acts unasked on a control store that came back without a restore of ours."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from ares.commands.access import opened_control
from ares.commands.output import console
from ares.commands.who import operator
from ares.control import AuditEntry
from ares.service.restored import hold_restored
from backup.restore.run import WRITER

hold_app = typer.Typer(add_completion=False)


@hold_app.command()
def hold(why: Annotated[str, typer.Option(help="From where it came back; it stands in the audit chain.")]) -> None:
    """HALT every account before a trader starts on it. Example: ares backup hold --why "RDS' copy in eu-west-1" """
    with opened_control() as (context, control):
        who, now_ns = operator(), context.clock.now_ns()
        done = asyncio.run(hold_restored(context, control, f"{why}; held by {who}"))
        control.audit(
            [AuditEntry(writer=WRITER, who=who, what="held", ts_ns=now_ns, after={"held": "; ".join(done)}, why=why)]
        )
    for each in done:
        console.print(f"{each}; when its orders and balances are reconciled: ares trader resume")
