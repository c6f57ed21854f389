"""Who may trade: key, HMAC-SHA256 signature and timestamp, with the venue's codes and texts."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from simulator.matching.types import Refusal
from simulator.params import Params, missing

RECV_WINDOW_MS = 5_000
RECV_WINDOW_MS_MAX = 60_000
AHEAD_MS_MAX = 1_000
SIGNATURE = "&signature="


@dataclass(frozen=True, slots=True)
class Keys:
    """The one pair of keys the exchange knows; without them nothing signed is accepted."""

    api_key: str
    api_secret: str


def signed_text(raw: str) -> str:
    """What was signed: everything before the signature, which comes last."""
    return raw.rpartition(SIGNATURE)[0] if SIGNATURE in raw else raw


def check_key(keys: Keys | None, api_key: str | None) -> Keys:
    """Raises `Refusal` unless this is our key."""
    if not api_key:
        raise Refusal(-2014, "API-key format invalid.", 401)
    if keys is None or not hmac.compare_digest(api_key.encode(), keys.api_key.encode()):
        raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    return keys


def verify(keys: Keys | None, api_key: str | None, text: str, params: Params, now_ms: int) -> None:
    """Raises `Refusal` unless `text` was signed by our secret and its timestamp is fresh at `now_ms`."""
    keys = check_key(keys, api_key)
    expected = hmac.new(keys.api_secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(params.text("signature").encode(), expected.encode()):
        raise Refusal(-1022, "Signature for this request is not valid.")
    check_time(params, now_ms)


def check_time(params: Params, now_ms: int) -> None:
    """Raises `Refusal` unless the timestamp is inside recvWindow and at most a second ahead."""
    timestamp_ms = params.integer("timestamp")
    if timestamp_ms is None:
        raise missing("timestamp")
    window_ms = params.integer("recvWindow")
    window_ms = RECV_WINDOW_MS if window_ms is None else window_ms
    if window_ms > RECV_WINDOW_MS_MAX:
        raise Refusal(-1131, f"recvWindow must be less than {RECV_WINDOW_MS_MAX}")
    if timestamp_ms >= now_ms + AHEAD_MS_MAX:
        raise Refusal(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ms - timestamp_ms > window_ms:
        raise Refusal(-1021, "Timestamp for this request is outside of the recvWindow.")
