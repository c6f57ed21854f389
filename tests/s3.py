"""A real S3 API for a test: moto's server in an environment of its own, made once per machine into the user's cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from ares.store.server import port_is_free
from tests.conftest import free_port
from tests.helpers import ROOT, missing

PACKAGES = ("moto[s3]==5.1.22", "flask>=3", "flask-cors>=5")
READY_S_MAX = 60.0


def moto_server() -> Path:
    """The program, installed on first use."""
    digest = hashlib.sha256(" ".join((sys.version, *PACKAGES)).encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ares" / f"moto-{digest}"
    program = cache / "bin" / "moto_server"
    if not program.exists():
        uv = str(Path(sys.executable).with_name("uv"))
        shutil.rmtree(cache, ignore_errors=True)
        made = subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, cache], check=False)
        install = [uv, "pip", "install", "--quiet", "--python", cache / "bin" / "python", *PACKAGES]
        if made.returncode or subprocess.run(install, check=False).returncode:
            shutil.rmtree(cache, ignore_errors=True)
            missing("moto cannot be installed: is a package index in reach?")
    return program


@contextmanager
def running_s3(port: int, bucket: str) -> Iterator[str]:
    """The address of a running one, with a bucket."""
    url = f"http://127.0.0.1:{port}"
    command = [str(moto_server()), "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until_s = time.monotonic() + READY_S_MAX
        while not _made(f"{url}/{bucket}"):
            assert server.poll() is None, "moto ended while starting"
            assert time.monotonic() < until_s, "moto is not ready"
            time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait()


def _made(url: str) -> bool:
    try:
        with urlopen(Request(url, method="PUT"), timeout=5):
            return True
    except (URLError, OSError):
        return False


@contextmanager
def locked(url: str) -> Iterator[str]:
    """The same S3 with a bucket of object lock (`tests.s3_locked`), in a process of its own: Delta Lake's library waits
    for an answer with the interpreter in its hands.
    """
    port = free_port()
    server = subprocess.Popen([sys.executable, "-m", "tests.s3_locked", url, str(port)], cwd=ROOT)
    try:
        until_s = time.monotonic() + READY_S_MAX
        while port_is_free("127.0.0.1", port):
            assert server.poll() is None, "the bucket with a lock ended while starting"
            assert time.monotonic() < until_s, "the bucket with a lock is not ready"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()
