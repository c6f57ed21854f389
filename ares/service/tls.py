"""The TLS proxy in front of QuestDB as a service: started, watched, and given new certificates without a pause."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from watchfiles import awatch

from ares.clock import to_datetime
from ares.config.settings import AresConfig, TlsConfig
from ares.errors import ConfigError, PortInUse, ServerFailed
from ares.security.tls import DOORS, Certificate, presented, read_pair, stunnel_config
from ares.service.runner import end_with_parent, ended
from ares.service.types import Capability, Health, ServiceContext, ServiceSpec
from ares.store.server import make_dir, port_is_free
from ares.telemetry import get_logger, metrics

READY_S_MAX = 15.0
TAKEN_UP_S_MAX = 5.0
STOP_S_MAX = 5.0
POLL_S = 0.05
_NOTICE = re.compile(r"\bLOG[5-7]\[")
"""Its mark of lines that tell of no trouble: every connection is one."""

log = get_logger(__name__)


class TlsProxy:
    """Runs stunnel; when the files of `[tls]` change and fit each other, it serves the new certificate.

    Files that do not fit change nothing: the old certificate is served on, and the log says why.
    """

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._process: Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._served: Certificate | None = None
        self._seen = self._taken = ""
        self._problem = ""

    async def start(self) -> None:
        tls = self._tls
        pair = self._pair()
        self._seen = self._digest()
        for field, port in ports(tls):
            if not port_is_free(tls.host, port):
                raise PortInUse(field, tls.host, port)
        path = self._context.state_dir / "run" / "stunnel.conf"
        make_dir(path.parent)
        path.write_text(stunnel_config(tls, self._context.config.database), encoding="utf-8")
        self._process = await asyncio.create_subprocess_exec(
            program(tls), str(path), stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, preexec_fn=end_with_parent
        )
        self._listening = asyncio.create_task(_repeat(self._process), name="stunnel")
        if not await self._shows(pair, READY_S_MAX):
            raise ServerFailed(f"{tls.program} does not serve {tls.cert_file} on {tls.host}; its lines are in the log")
        self._take(pair)

    async def run(self) -> None:
        process = self._process
        assert process is not None, "start() comes first"
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_until_it_ends(process), name="ended")
            tasks.create_task(self._follow(), name="certificates")

    async def stop(self) -> None:
        process, listening = self._process, self._listening
        if process is None or listening is None:
            return
        await ended(process, STOP_S_MAX)
        await listening

    def health(self) -> Health:
        served = self._served
        if served is None:
            return Health(ready=False, detail="starting")
        if self._now() >= served.valid_until:
            return Health(ready=False, detail=f"the certificate expired at {served.valid_until:%F %R} UTC")
        return Health(ready=True, detail=self._problem)

    async def _follow(self) -> None:
        async for _ in self._moments():
            digest = self._digest()
            if digest != self._seen:
                self._seen = digest
                await self._rotate()

    async def _moments(self) -> AsyncIterator[None]:
        """Whenever something in the folders of the files changes, and every `watch_s` at least."""
        wait_ms = round(self._tls.watch_s * 1000)
        folders = {file.parent for file in self._files()}
        try:
            async for _ in awatch(
                *folders, recursive=False, rust_timeout=wait_ms, yield_on_timeout=True, ignore_permission_denied=True
            ):
                yield
        except (OSError, RuntimeError) as error:
            log.error("certificates_not_watched", error=str(error), way_out="raise fs.inotify limits")
        while True:
            await self._context.clock.sleep(self._tls.watch_s)
            yield

    async def _rotate(self) -> None:
        try:
            pair = self._pair()
        except ConfigError as error:
            self._problem = str(error)
            log.warning("certificate_refused", error=str(error))
            return
        if self._seen == self._taken:  # back to what is served
            self._problem = ""
            return
        assert self._process is not None, "start() comes first"
        self._process.send_signal(signal.SIGHUP)
        if await self._shows(pair, TAKEN_UP_S_MAX):
            self._take(pair)
            return
        self._seen = ""  # to be tried again
        self._problem = f"{self._tls.program} did not take up {self._tls.cert_file}"
        log.error("certificate_not_taken_up", file=str(self._tls.cert_file))

    async def _shows(self, pair: Certificate, seconds: float) -> bool:
        """Whether the proxy comes to serve this certificate in time."""
        tls, clock = self._tls, self._context.clock
        host = "127.0.0.1" if tls.host == "0.0.0.0" else "::1" if tls.host == "::" else tls.host  # noqa: S104 - compared, not bound
        until_s = clock.monotonic_s() + seconds
        while clock.monotonic_s() < until_s and self._process is not None and self._process.returncode is None:
            shown = await asyncio.to_thread(presented, host, tls.health_port)
            if shown is not None and shown.fingerprint == pair.fingerprint:
                return True
            await clock.sleep(POLL_S)
        return False

    def _take(self, pair: Certificate) -> None:
        self._served, self._taken, self._problem = pair, self._seen, ""
        metrics.TLS_CERTIFICATE_EXPIRY.set(pair.valid_until.timestamp())
        until = f"{pair.valid_until:%FT%RZ}"
        log.info("certificate_served", names=list(pair.names), until=until, sha256=pair.fingerprint)

    def _pair(self) -> Certificate:
        cert_file, key_file = self._files()
        return read_pair(cert_file, key_file, self._now())

    def _digest(self) -> str:
        """Of both files; a file that is being replaced is like an empty one."""
        return sha256(b"\0".join(_content(file) for file in self._files())).hexdigest()

    def _files(self) -> Sequence[Path]:
        tls = self._tls
        if tls.cert_file is None or tls.key_file is None:
            way_out = "Set it and tls.key_file; `ares tls certificate` makes a pair for dev"
            raise ConfigError("tls.cert_file", None, "the TLS proxy needs a certificate", way_out)
        return tls.cert_file, tls.key_file

    def _now(self) -> datetime:
        return to_datetime(self._context.clock.now_ns())

    @property
    def _tls(self) -> TlsConfig:
        return self._context.config.tls


def ports(tls: TlsConfig) -> list[tuple[str, int]]:
    """Where the proxy listens, by setting."""
    return [(f"tls.{door}", getattr(tls, door)) for door in DOORS]


def program(tls: TlsConfig) -> str:
    """Where stunnel is. Raises `ConfigError`."""
    found = shutil.which(tls.program)
    if found is None:
        raise ConfigError("tls.program", tls.program, "no such program", "apt-get install stunnel4, or name its path")
    return found


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


async def _repeat(process: Process) -> None:
    """Its lines become ours."""
    assert process.stderr is not None, "it was asked for"
    async for line in process.stderr:
        text = line.decode(errors="replace").strip()
        say = log.debug if _NOTICE.search(text) else log.info
        say("stunnel_says", line=text)


async def _until_it_ends(process: Process) -> None:
    raise ServerFailed(f"stunnel ended with {await process.wait()}")


def _provides(config: AresConfig) -> list[Capability]:
    return [] if config.tls.cert_file is None else [Capability("tls-proxy", {"port": str(config.tls.pg_port)})]


TLS = ServiceSpec("tls", TlsProxy, depends_on=("questdb",), provides=_provides)
