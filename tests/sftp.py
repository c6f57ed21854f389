"""A real SSH server for a test, as this user, on a port of its own; it lets one key in."""

from __future__ import annotations

import os
import pwd
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection

from tests.conftest import require_program
from tests.helpers import missing

READY_S_MAX = 15.0
SFTP_SERVERS = ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/libexec/sftp-server")


@dataclass(frozen=True)
class RunningSftp:
    """Where it is, and what a client needs to trust it and be trusted."""

    user: str
    port: int
    key_file: Path
    known_hosts_file: Path


@contextmanager
def running_sftp(folder: Path, port: int) -> Iterator[RunningSftp]:
    """An sshd that ends with the block."""
    sshd = require_program("sshd", "apt-get install openssh-server openssh-client")
    subsystem = next((path for path in SFTP_SERVERS if Path(path).exists()), None)
    if subsystem is None:
        missing("no sftp-server: apt-get install openssh-sftp-server")
    folder.mkdir(mode=0o700)
    for name in ("host", "client"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    (folder / "authorized_keys").write_bytes((folder / "client.pub").read_bytes())
    kind, key = (folder / "host.pub").read_text().split()[:2]
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    settings = (
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile {folder}/pid\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
        f"PermitRootLogin prohibit-password\nSubsystem sftp {subsystem}\n"
    )
    (folder / "sshd_config").write_text(settings)
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where it locks itself in before a login
    server = subprocess.Popen([sshd, "-D", "-e", "-f", folder / "sshd_config"], stderr=subprocess.DEVNULL)
    try:
        _ready(port, server)
        user = pwd.getpwuid(os.getuid()).pw_name
        yield RunningSftp(user, port, folder / "client", folder / "known_hosts")
    finally:
        server.terminate()
        server.wait()


def _ready(port: int, server: subprocess.Popen[bytes]) -> None:
    until_s = time.monotonic() + READY_S_MAX
    while True:
        assert server.poll() is None, "sshd ended while starting"
        assert time.monotonic() < until_s, "sshd is not ready"
        try:
            with create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.05)
