"""`ares profile`: where a running service spends its time and its memory."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import typer

from ares.commands.output import console, print_rows
from ares.config import load_config
from ares.errors import OperatingError, UnknownName
from ares.service.drift import Card, cards

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Profile a running service.")

Service = Annotated[str, typer.Argument(help="A service that runs here; see `ares status`.")]
Seconds = Annotated[float, typer.Option(min=1, max=300, help="For how long.")]
MIB = 1024 * 1024
TOP = 15
SLACK_S = 60


@app.command()
def cpu(
    service: Service,
    seconds: Seconds = 10,
    out: Annotated[Path | None, typer.Option(help="The flame graph; <service>-cpu.svg unless given.")] = None,
) -> None:
    """A flame graph of where its time goes; costs it next to nothing. Example: ares profile cpu ingest --seconds 20"""
    target = out or Path(f"{service}-cpu.svg")
    program = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or "py-spy"
    command = [
        program,
        "record",
        "--pid",
        str(_card(service).pid),
        "--duration",
        str(round(seconds)),
        "-o",
        str(target),
    ]
    ran = subprocess.run(  # noqa: S603 - our own command line, no shell
        command, capture_output=True, text=True, check=False, timeout=seconds + SLACK_S
    )
    if ran.returncode:
        said = (ran.stderr or ran.stdout).strip().splitlines()
        raise OperatingError(
            f"py-spy could not look into {service}: {said[-1] if said else ran.returncode}. "
            "Run it as root, or allow it: sysctl kernel.yama.ptrace_scope=0"
        )
    console.print(f"flame graph in {target}")


@app.command()
def memory(
    service: Service,
    seconds: Seconds = 10,
    out: Annotated[Path | None, typer.Option(help="Collapsed stacks; <service>-memory.folded unless given.")] = None,
) -> None:
    """What it allocates and keeps, by stack; slows it down meanwhile. Example: ares profile memory trader"""
    target = out or Path(f"{service}-memory.folded")
    url = f"http://127.0.0.1:{_card(service).port}/-/memory?seconds={seconds}"
    try:
        with urlopen(Request(url, method="POST"), timeout=seconds + SLACK_S) as answer:
            sizes: dict[str, int] = json.loads(answer.read())
    except HTTPError as error:
        raise OperatingError(f"{service} says: {json.loads(error.read())['error']}") from None
    except (URLError, OSError) as error:
        raise OperatingError(f"{service} did not answer: {error}") from None
    target.write_text("".join(f"{stack} {size}\n" for stack, size in sizes.items()), encoding="utf-8")
    largest = sorted(sizes.items(), key=lambda item: item[1], reverse=True)[:TOP]
    print_rows(
        [{"MiB": round(size / MIB, 3), "where": stack.rpartition(";")[2]} for stack, size in largest], json=False
    )
    console.print(
        f"{sum(sizes.values()) / MIB:.2f} MiB in {len(sizes)} stacks, in {target} (speedscope, flamegraph.pl)"
    )


def _card(service: str) -> Card:
    found = {card.service: card for card in cards(load_config().environment.state_dir)}
    if service not in found:
        raise UnknownName("running service", service, list(found))
    return found[service]
