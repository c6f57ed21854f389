"""A piece of bytes on disk with its length and CRC before it, so that one that was being written shows. Pure."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

HEAD = struct.Struct("<III")
"""Bytes and CRC-32 of what follows, and a number that says how much that is (rows, or bytes once unpacked)."""
PAYLOAD_BYTES_MAX = 2**30
"""A head that says more is none."""


def framed(payload: bytes, count: int) -> bytes:
    """The payload behind its head."""
    return HEAD.pack(len(payload), zlib.crc32(payload), count) + payload


def next_framed(file: BinaryIO) -> tuple[bytes, int] | None:
    """The payload that follows and its number; None where no whole one follows."""
    head = file.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    length, checksum, count = HEAD.unpack(head)
    payload = file.read(length) if length <= PAYLOAD_BYTES_MAX else b""
    return (payload, count) if len(payload) == length and zlib.crc32(payload) == checksum else None
