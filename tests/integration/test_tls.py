"""Goal: nobody reads along between Ares and QuestDB, nobody poses as QuestDB, and new certificates cost no row."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from ares.clock import SystemClock
from ares.config.settings import AresConfig, DatabaseConfig, EnvironmentConfig, TlsConfig
from ares.errors import ConfigError, ServerFailed, StoreError, StoreUnavailable
from ares.model.row import Row
from ares.security.tls import presented
from ares.security.tls.authority import issue
from ares.service import ServiceContext
from ares.service.doctor.certificates import certificates
from ares.service.tls import TlsProxy
from ares.store import Database, RowWriter
from ares.store.server import healthy
from tests.conftest import require_program
from tests.helpers import ares, eventually, running

SECOND_NS = 1_000_000_000


@dataclass
class Place:
    """A proxy's settings, its authority's folder, and how clients reach it."""

    config: AresConfig
    folder: Path
    client: DatabaseConfig

    def renew(self, days: int = 30, now: datetime | None = None) -> None:
        issue(self.folder, ["localhost", "127.0.0.1"], days, now or datetime.now(UTC))

    def shown(self) -> str:
        found = presented("127.0.0.1", self.config.tls.health_port)
        return "" if found is None else found.fingerprint


@pytest.fixture
def place(questdb_config: DatabaseConfig, ports: list[int], tmp_path: Path) -> Iterator[Place]:
    stunnel = require_program("stunnel", "apt-get install stunnel4")
    folder = tmp_path / "tls"
    authority, cert_file, key_file = issue(folder, ["localhost", "127.0.0.1"], 30, datetime.now(UTC))
    http, pg, health = ports
    tls = TlsConfig(
        cert_file=cert_file,
        key_file=key_file,
        http_port=http,
        pg_port=pg,
        health_port=health,
        program=stunnel,
        watch_s=0.2,
    )
    config = AresConfig(environment=EnvironmentConfig(state_dir=tmp_path / "state"), database=questdb_config, tls=tls)
    client = questdb_config.model_copy(
        update={
            "mode": "remote",
            "host": "localhost",
            "http_port": http,
            "pg_port": pg,
            "health_port": health,
            "tls": "verified",
            "tls_ca_file": authority,
        }
    )
    yield Place(config, folder, client)
    left = [p for p in psutil.Process().children() if p.name().startswith("stunnel")]
    assert not [p for p in left if p.status() != psutil.STATUS_ZOMBIE], "the proxy outlived its test"


def proxy(place: Place) -> AbstractAsyncContextManager[TlsProxy]:
    """The service at work."""
    return running(TlsProxy(ServiceContext(place.config, SystemClock(), "tls@test:1")))


def beat(service: str, number: int) -> Row:
    return Row(
        "services", (2_000_000_000 + number) * SECOND_NS, {"service": service, "instance": "x"}, {"port": number}
    )


async def test_rows_go_in_and_out_and_health_is_asked_through_the_proxy(place: Place, venue: str) -> None:
    async with proxy(place) as service, await Database.connect(place.client) as database:
        writer = RowWriter(place.client)
        await writer.write([beat(venue, n) for n in range(100)])
        await database.wait_applied(["services"])
        sql = "SELECT count() AS n FROM services WHERE service = %(service)s"
        assert await database.fetch_one(sql, {"service": venue}) == {"n": 100}
        assert healthy(place.client)
        assert service.health().ready
        await writer.close()
    assert not healthy(place.client), "stopped with its service"


async def test_the_read_only_user_stays_read_only_behind_the_proxy(place: Place) -> None:
    async with proxy(place), await Database.connect(place.client, readonly=True) as database:
        with pytest.raises(StoreError, match="denied"):
            await database.execute("TRUNCATE TABLE services")


async def test_nobody_gets_in_without_encryption(place: Place) -> None:
    plain = place.client.model_copy(update={"tls": "off"})
    async with proxy(place):
        assert not healthy(plain)
        writer = RowWriter(plain)
        with pytest.raises(StoreError):
            await writer.write([beat("plain", 1)])
        await writer.close()
        with socket.create_connection(("127.0.0.1", place.config.tls.pg_port)) as line:
            line.sendall(b"\0\0\0\x13\0\3\0\0user\0admin\0\0")  # a startup message that does not ask for TLS
            line.settimeout(5)
            with pytest.raises(ConnectionResetError):
                line.recv(64)  # hung up on, without a word of QuestDB


async def test_a_server_that_cannot_prove_its_name_is_not_believed(place: Place, tmp_path: Path) -> None:
    issue(place.folder, ["other.example"], 30, datetime.now(UTC))
    async with proxy(place):
        assert not healthy(place.client)
        writer = RowWriter(place.client)
        with pytest.raises(StoreUnavailable, match=r"(?i)certificate"):
            await writer.write([beat("posed", 1)])
        await writer.close()


async def test_an_unknown_authority_is_not_believed(place: Place, tmp_path: Path) -> None:
    stranger, _, _ = issue(tmp_path / "stranger", ["localhost"], 30, datetime.now(UTC))
    async with proxy(place):
        for authority in (stranger, None):
            client = place.client.model_copy(update={"tls_ca_file": authority})
            assert not healthy(client)
            writer = RowWriter(client)
            with pytest.raises(StoreUnavailable, match=r"(?i)certificate"):
                await writer.write([beat("posed", 1)])
            await writer.close()


async def test_the_pool_tells_that_the_certificate_is_why(place: Place) -> None:
    issue(place.folder, ["other.example"], 30, datetime.now(UTC))
    async with proxy(place):
        with pytest.raises(StoreUnavailable, match=r'cannot be reached: .*does not match host name "localhost"'):
            await Database.connect(place.client.model_copy(update={"connect_s_max": 1.0}))


async def test_a_new_certificate_is_served_while_rows_flow_and_none_is_lost(place: Place, venue: str) -> None:
    async with proxy(place), await Database.connect(place.client) as database:
        writer, stop, written = RowWriter(place.client), asyncio.Event(), 0

        async def flow() -> None:
            nonlocal written
            while not stop.is_set():
                await writer.write([beat(venue, written)])
                written += 1

        flowing = asyncio.create_task(flow())
        for _ in range(5):
            before = place.shown()
            place.renew()
            await eventually(lambda before=before: place.shown() not in ("", before))
            await database.fetch("SELECT 1")
        stop.set()
        await flowing
        await writer.close()
        await database.wait_applied(["services"])
        sql = "SELECT count() AS n FROM services WHERE service = %(service)s"
        assert await database.fetch_one(sql, {"service": venue}) == {"n": written}
        assert written > 20


async def test_half_of_a_new_pair_changes_nothing_until_the_other_half_is_there(place: Place, tmp_path: Path) -> None:
    async with proxy(place) as service:
        before = place.shown()
        _, cert_file, key_file = issue(tmp_path / "next", ["localhost"], 30, datetime.now(UTC))
        (place.folder / "server.key").write_bytes(key_file.read_bytes())
        await eventually(lambda: "is not the key of" in service.health().detail)
        assert service.health().ready
        assert place.shown() == before
        (place.folder / "server.pem").write_bytes(cert_file.read_bytes())
        await eventually(lambda: place.shown() not in ("", before))
        await eventually(lambda: service.health().detail == "")


async def test_an_intermediate_that_was_forgotten_is_served_once_it_is_there(place: Place, tmp_path: Path) -> None:
    server = place.folder / "server.pem"
    async with proxy(place) as service:
        server.write_bytes(server.read_bytes() + (place.folder / "ca.pem").read_bytes())
        await eventually(lambda: service._taken == service._digest())
        await eventually(lambda: len(chain_of(place)) == 2)


def chain_of(place: Place) -> list[str]:
    """Certificates that the proxy shows, by openssl."""
    said = subprocess.run(
        ["openssl", "s_client", "-showcerts", "-connect", f"127.0.0.1:{place.config.tls.health_port}"],
        input="", capture_output=True, text=True, timeout=20, check=False,
    ).stdout  # fmt: skip
    return said.split("-----BEGIN CERTIFICATE-----")[1:]


async def test_a_certificate_that_vanishes_or_expired_is_not_taken(place: Place) -> None:
    async with proxy(place) as service:
        before = place.shown()
        (place.folder / "server.pem").unlink()
        await eventually(lambda: "cannot be read" in service.health().detail)
        place.renew(days=1, now=datetime.now(UTC) - timedelta(days=3))
        await eventually(lambda: "is valid from" in service.health().detail)
        assert place.shown() == before


async def test_where_the_system_cannot_watch_files_they_are_looked_at(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object, **__: object) -> None:
        raise OSError("no inotify watches left")

    monkeypatch.setattr("ares.service.tls.awatch", none_left)
    async with proxy(place):
        before = place.shown()
        place.renew()
        await eventually(lambda: place.shown() not in ("", before))


async def test_a_proxy_that_was_killed_ends_its_service_so_that_both_come_back(place: Place) -> None:
    service = TlsProxy(ServiceContext(place.config, SystemClock(), "tls@test:1"))
    await service.start()
    (child,) = [p for p in psutil.Process().children() if p.name().startswith("stunnel")]
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(ExceptionGroup) as ended:
        await service.run()
    assert ended.group_contains(ServerFailed, match="stunnel ended")
    await service.stop()


@pytest.mark.parametrize(
    ("break_it", "field", "problem"),
    [
        (lambda p: (p.folder / "server.key").chmod(0o644), "tls.key_file", "others can read"),
        (lambda p: (p.folder / "server.pem").write_text("garbage"), "tls.cert_file", "no certificate in PEM"),
        (lambda p: (p.folder / "server.key").write_text("garbage"), "tls.key_file", "no private key in PEM"),
        (lambda p: (p.folder / "server.key").unlink(), "tls.key_file", "cannot be read"),
        (lambda p: p.renew(1, datetime.now(UTC) - timedelta(days=3)), "tls.cert_file", "is valid from"),
    ],
)
async def test_a_pair_that_cannot_be_served_is_told_before_anything_starts(
    place: Place, break_it: object, field: str, problem: str
) -> None:
    assert callable(break_it)
    break_it(place)
    service = TlsProxy(ServiceContext(place.config, SystemClock(), "tls@test:1"))
    with pytest.raises(ConfigError, match=problem) as refused:
        await service.start()
    assert refused.value.field == field
    await service.stop()


async def test_a_missing_program_is_told_with_the_way_to_get_it(place: Place) -> None:
    config = place.config.model_copy(update={"tls": place.config.tls.model_copy(update={"program": "no-stunnel"})})
    service = TlsProxy(ServiceContext(config, SystemClock(), "tls@test:1"))
    with pytest.raises(ConfigError, match="apt-get install stunnel4"):
        await service.start()


async def test_the_doctor_tells_how_long_certificates_hold(place: Place) -> None:
    now = datetime.now(UTC)
    settings = place.config.model_copy(update={"database": place.client})
    async with proxy(place):
        found = {each.check: each.status for each in certificates(settings, now)}
        assert found == {"certificate of the TLS proxy": "ok", "certificate of the database": "ok"}
        late = {each.check: each.status for each in certificates(settings, now + timedelta(days=20))}
        assert late == {"certificate of the TLS proxy": "warn", "certificate of the database": "warn"}
        (place.folder / "server.key").write_text("garbage")
        assert next(certificates(settings, now)).status == "fail"
    (_, database) = certificates(settings, now)
    assert database.status == "skip"


async def test_old_protocols_are_refused(place: Place) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with proxy(place):
        with (
            socket.create_connection(("127.0.0.1", place.config.tls.health_port)) as plain,
            pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"),
        ):
            context.wrap_socket(plain)


async def test_commands_make_and_renew_a_certificate_and_show_what_is_served(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "made"
    made = ares("tls", "certificate", str(folder), "--host", "db.internal", "--days", "7")
    assert (made.returncode, made.stderr) == (0, "")
    assert f'tls_ca_file = "{folder / "ca.pem"}"' in made.stdout
    authority, first = (folder / "ca.pem").read_bytes(), (folder / "server.pem").read_bytes()
    assert ares("tls", "certificate", str(folder), "--host", "db.internal").returncode == 0
    assert (folder / "ca.pem").read_bytes() == authority, "renewed by the same authority"
    assert (folder / "server.pem").read_bytes() != first
    assert {oct(each.stat().st_mode & 0o777) for each in folder.glob("*.key")} == {"0o600"}
    address = {"ARES_DATABASE__HEALTH_PORT": str(place.config.tls.health_port)}
    async with proxy(place):
        shown = await asyncio.to_thread(ares, "tls", "show", "--json", **address)
        assert place.shown() in shown.stdout
    nobody = ares("tls", "show", **address)
    assert (nobody.returncode, "speaks TLS there" in nobody.stderr) == (1, True)


def test_production_gets_no_certificate_of_our_own_making(tmp_path: Path) -> None:
    passwords = {"ARES_DATABASE__PASSWORD": "x" * 9, "ARES_DATABASE__READONLY_PASSWORD": "y" * 9}
    refused = ares("tls", "certificate", str(tmp_path / "made"), ARES_PROFILE="prod", **passwords)
    assert (refused.returncode, "ARES_PROFILE" in refused.stderr) == (2, True)
    assert not (tmp_path / "made").exists()


def test_folder_with_somebody_elses_authority_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("not ours")
    refused = ares("tls", "certificate", str(tmp_path))
    assert (refused.returncode, "not an authority of ours" in refused.stderr) == (2, True)
    assert (tmp_path / "ca.pem").read_text() == "not ours"
