"""A line to a venue: nothing that was sent is lost while it is open, and why it ended is said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from ssl import Purpose, SSLContext, create_default_context

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from ares.clock import SystemClock
from ares.errors import VenueUnavailable
from ingest.feed import Frame
from ingest.venues.socket import Socket, connect
from tests.helpers import eventually

Act = Callable[[WSTransport], None]


class Venue(WSListener):
    """Does something once a client is there, and keeps what it says."""

    def __init__(self, act: Act) -> None:
        self._act = act
        self.heard: list[bytes] = []

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._act(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self.heard.append(frame.get_payload_as_bytes())


@asynccontextmanager
async def serving(port: int, act: Act, tls: SSLContext | None = None) -> AsyncIterator[Venue]:
    venue = Venue(act)

    def accept(_request: WSUpgradeRequest) -> WSListener:
        return venue

    server = await ws_create_server(accept, "127.0.0.1", port, ssl=tls)
    try:
        yield venue
    finally:
        server.close()
        await server.wait_closed()


async def dial(port: int, scheme: str = "ws") -> Socket:
    return await connect(f"{scheme}://127.0.0.1:{port}/ws", "trades", SystemClock(), ping_s=5.0, deadline_s=2.0)


async def taken(socket: Socket, count: int) -> list[object]:
    payloads: list[object] = []
    async with asyncio.timeout(10):
        while len(payloads) < count:
            payloads += [frame.payload for frame in await socket.next(1.0)]
    return payloads


async def test_burst_that_nobody_takes_waits_in_the_venue_and_comes_whole_and_in_order(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.venues.socket.FRAMES_MAX", 100)
    sent = [b"%08d" % number * 100 for number in range(20_000)]

    def burst(transport: WSTransport) -> None:
        for message in sent:
            transport.send(WSMsgType.TEXT, message)

    async with serving(port, burst):
        socket = await dial(port)
        await asyncio.sleep(0.5)
        assert len(socket._frames) < 1_000, "the line is read no further"
        assert await taken(socket, len(sent)) == sent
        await socket.close()


@pytest.fixture
def encryption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SSLContext:
    """A server's side of TLS for 127.0.0.1, which clients of this process believe."""
    key, name = Ed25519PrivateKey.generate(), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "venue")])
    now = datetime.now(UTC)
    asked = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    asked = asked.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
    asked = asked.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    asked = asked.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    certificate = asked.sign(key, None).public_bytes(Encoding.PEM)
    file = tmp_path / "venue.pem"
    file.write_bytes(certificate + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = create_default_context(Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context


@pytest.mark.parametrize("scheme", ["ws", "wss"])
async def test_busy_line_is_read_in_turns_and_brings_everything_in_order_and_is_quick_again_when_it_is_quiet(
    port: int, encryption: SSLContext, scheme: str
) -> None:
    sent = [b"%06d" % number for number in range(10_000)]
    lines: list[WSTransport] = []
    async with serving(port, lines.append, encryption if scheme == "wss" else None):
        socket = await dial(port, scheme)
        await eventually(lambda: lines)
        speaking = asyncio.create_task(speak(lines[0], sent))
        came: list[object] = []
        turns = busy = 0
        async with asyncio.timeout(30):
            while len(came) < len(sent):
                came += [frame.payload for frame in await socket.next(1.0)]
                turns, busy = turns + 1, busy + socket._paused
        assert came == sent
        assert turns < len(sent) / 5
        assert busy > turns / 2
        await speaking
        for number in range(3):
            lines[0].send(WSMsgType.TEXT, b"quiet %d" % number)
            assert await taken(socket, 1) == [b"quiet %d" % number]
        assert not socket._paused
        await socket.close()


async def speak(line: WSTransport, messages: Sequence[bytes]) -> None:
    """Say one after the other, a turn of the loop for each."""
    for message in messages:
        line.send(WSMsgType.TEXT, message)
        await asyncio.sleep(0)


async def test_message_in_parts_is_one_frame_and_what_is_no_message_is_none(port: int) -> None:
    def parts(transport: WSTransport) -> None:
        transport.send(WSMsgType.TEXT, b'{"a":', fin=False)
        transport.send_ping(b"between")
        transport.send(WSMsgType.CONTINUATION, b'{"b":', fin=False)
        transport.send(WSMsgType.CONTINUATION, b"1}}", fin=True)
        transport.send(WSMsgType.TEXT, b'{"c":2}')
        transport.send_pong(b"")
        transport.send(WSMsgType.BINARY, b"[3]")
        transport.send(WSMsgType.TEXT, b"")

    async with serving(port, parts):
        socket = await dial(port)
        assert await taken(socket, 4) == [b'{"a":{"b":1}}', b'{"c":2}', b"[3]", b""]
        assert not await socket.next(0.1)
        await socket.close()


async def test_messages_of_one_read_came_at_one_moment_and_a_snapshot_keeps_its_own(port: int) -> None:
    def say(transport: WSTransport) -> None:
        for number in range(3):
            transport.send(WSMsgType.TEXT, b"[%d]" % number)

    async with serving(port, say):
        began_ns = SystemClock().now_ns()
        socket = await dial(port)
        await eventually(lambda: len(socket._frames) == 3)
        socket.add(Frame("trades", "snapshot", 7))
        frames = await socket.next(1.0)
        assert [frame.payload for frame in frames] == [b"[0]", b"[1]", b"[2]", "snapshot"]
        *receipts_ns, snapshot_ns = [frame.received_at_ns for frame in frames]
        assert began_ns < receipts_ns[0] <= receipts_ns[-1] <= SystemClock().now_ns()
        assert snapshot_ns == 7
        await socket.close()


async def test_what_came_before_the_end_is_taken_and_then_the_reason_is_told(port: int) -> None:
    def leave(transport: WSTransport) -> None:
        transport.send(WSMsgType.TEXT, b"last")
        transport.send_close(message_code(), b"maintenance")

    async with serving(port, leave):
        socket = await dial(port)
        assert await taken(socket, 1) == [b"last"]
        with pytest.raises(VenueUnavailable, match="maintenance"):
            await taken(socket, 1)
        socket.send(b"into the void")
        await socket.close()


def message_code() -> int:
    """RFC 6455: service restart."""
    return 1012


async def test_quiet_line_yields_nothing_in_time_and_takes_what_we_say(port: int) -> None:
    async with serving(port, lambda _: None) as venue:
        socket = await dial(port)
        assert not await socket.next(0.05)
        socket.send(b"hello")
        async with asyncio.timeout(5):
            while venue.heard != [b"hello"]:
                await asyncio.sleep(0.01)
        await socket.close()


async def test_refused_line_says_the_status_and_how_long_the_venue_wants_us_to_wait(port: int) -> None:
    async def refuse(_request: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "7"})

    app = web.Application()
    app.router.add_get("/ws", refuse)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    with pytest.raises(VenueUnavailable, match="429") as caught:
        await dial(port)
    assert caught.value.retry_after_s == 7.0
    await runner.cleanup()


async def test_address_where_nobody_listens_is_named(port: int) -> None:
    with pytest.raises(VenueUnavailable, match=str(port)):
        await dial(port)
