"""A WebSocket server that sends trades of a real recording as fast as they are taken, or paced; a process of its own.

usage: venue_server.py PORT MESSAGES RATE START_MS SPAN_MS     RATE = messages a second, 0 = at once
Trades happen evenly in the SPAN_MS after START_MS. Frames are made before the first client comes. An address with
/stream gets wrapped frames at once, any other gets raw ones after its first message, which is answered as the venue
does. When a paced frame is sent is written to standard output at the end, as one line of JSON: seconds of
CLOCK_MONOTONIC.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import socket
import struct
import sys
import time
from pathlib import Path

RECORDING = Path(__file__).resolve().parents[1] / "simulator" / "recordings" / "spot_btcusdt_20240808.gz"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def trades(count: int, start_ms: int, span_ms: int) -> list[bytes]:
    """Recorded prices, amounts and sides, over and over; ids that run on, at times that run on."""
    with gzip.open(RECORDING, "rb") as lines:
        recorded = [json.loads(line.partition(b" ")[2])["data"] for line in lines if b"@trade" in line[:60]]
    made = []
    for number in range(count):
        each = recorded[number % len(recorded)]
        ms, seq = start_ms + number * span_ms // count, number + 1
        event = {"e": "aggTrade", "E": ms + 1, "s": "BTCUSDT", "a": seq, "p": each["p"], "q": each["q"], "f": seq}
        event |= {"l": seq, "T": ms, "m": each["m"], "M": True}
        made.append(json.dumps(event, separators=(",", ":")).encode())
    return made


def framed(payload: bytes) -> bytes:
    size = len(payload)
    return (bytes([0x81, size]) if size < 126 else b"\x81\x7e" + struct.pack(">H", size)) + payload


def serve(line: socket.socket, events: list[bytes], rate: int) -> list[float]:
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head = b""
    while b"\r\n\r\n" not in head:
        head += line.recv(65_536)
    found = re.search(rb"(?i)sec-websocket-key:\s*(\S+)", head)
    assert found, "not a WebSocket client"
    accept = base64.b64encode(hashlib.sha1(found.group(1) + GUID).digest())
    wrapped = b"/stream" in head.split(b"\r\n")[0]
    if wrapped:
        events = [b'{"stream":"btcusdt@aggTrade","data":%b}' % event for event in events]
    frames = [framed(event) for event in events]
    blob = b"" if rate else b"".join(frames)
    upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    line.sendall(upgrade + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    if not wrapped:
        line.recv(65_536)
        line.sendall(framed(b'{"result":null,"id":1}'))
    time.sleep(0.3)
    sent: list[float] = []
    if rate:
        began = time.monotonic()
        for number, frame in enumerate(frames):
            due = began + number / rate
            while (now := time.monotonic()) < due:
                time.sleep(max(0.0, due - now))
            sent.append(now)
            line.sendall(frame)
    else:
        line.sendall(blob)
    try:
        while line.recv(65_536):
            continue
    except OSError:
        return sent
    return sent


def main() -> None:
    port, count, rate, start_ms, span_ms = (int(word) for word in sys.argv[1:])
    events = trades(count, start_ms, span_ms)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(1)
    print("ready", flush=True)
    line, _ = listener.accept()
    sent = serve(line, events, rate)
    print(json.dumps(sent), flush=True)


if __name__ == "__main__":
    main()
