"""Who vouches for a head: a key of this machine; its public halves lie with the witness, where they outlive it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from ares.errors import AuditKeyUnusable
from ares.files import make_once
from ares.telemetry import get_logger

log = get_logger(__name__)

WAY_OUT = "Restore it, or move it away to begin with a new one"


class Signer(Protocol):
    """Signs heads. `key_id` names the key in every head, so that keys may be changed."""

    key_id: str

    def sign(self, payload: bytes) -> str: ...
    def public_pem(self) -> bytes: ...


class LocalSigner:
    """Ed25519 with a private key in a file that only this user reads."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.key_id = key_id_of(key.public_key())

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read the key, or make one, which is said in the log: who did not expect that lost one.

        Raises `AuditKeyUnusable`.
        """
        try:
            if make_once(path, _new_pem()):
                log.warning("audit_key_created", path=str(path))
            if path.stat().st_mode & 0o077:
                raise AuditKeyUnusable(str(path), "others can read it", f"chmod 600 {path}")
            key = load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise AuditKeyUnusable(str(path), str(error), WAY_OUT) from None
        if not isinstance(key, Ed25519PrivateKey):
            raise AuditKeyUnusable(str(path), "not an Ed25519 key", WAY_OUT)
        return cls(key)

    def sign(self, payload: bytes) -> str:
        """The signature, hexadecimal."""
        return self._key.sign(payload).hex()

    def public_pem(self) -> bytes:
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _new_pem() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def key_id_of(key: Ed25519PublicKey) -> str:
    """A short name of a public key."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def public_keys(folder: Path) -> dict[str, Ed25519PublicKey]:
    """The public keys in a folder, by their id; files that are none are passed over."""
    keys: dict[str, Ed25519PublicKey] = {}
    for path in sorted(folder.glob("*.pub")):
        try:
            key = load_pem_public_key(path.read_bytes())
        except (OSError, ValueError, UnsupportedAlgorithm):
            continue
        if isinstance(key, Ed25519PublicKey):
            keys[key_id_of(key)] = key
    return keys


def is_genuine(keys: dict[str, Ed25519PublicKey], key_id: str, payload: bytes, signature: str) -> bool:
    """Whether a known key made this signature."""
    key = keys.get(key_id)
    if key is None:
        return False
    try:
        key.verify(bytes.fromhex(signature), payload)
    except (InvalidSignature, ValueError):
        return False
    return True
