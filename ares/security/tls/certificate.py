"""Certificates: what one says, whether its key fits, and which one a server shows."""

from __future__ import annotations

import os
import socket
import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from ares.errors import ConfigError

GROUP_WRITES_OTHERS_READ = 0o027
"""Permissions that a private key must not give: Kubernetes mounts one readable by its group, which is ours alone."""
ASK_S_MAX = 3.0
UNREADABLE = (
    *(ValueError, TypeError, UnsupportedAlgorithm),
    *(x509.DuplicateExtension, x509.UnsupportedGeneralNameType, x509.InvalidVersion),
)
"""What cryptography says of bytes that it can make nothing of."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """For whom it stands, from when to when (UTC), and its SHA-256, hexadecimal."""

    names: tuple[str, ...]
    valid_from: datetime
    valid_until: datetime
    fingerprint: str

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Self:
        """What a parsed one says."""
        return cls(
            _names(certificate),
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
            certificate.fingerprint(hashes.SHA256()).hex(),
        )


def read_pair(cert_file: Path, key_file: Path, now: datetime) -> Certificate:
    """The certificate of a pair of files that can be served at `now`. Raises `ConfigError` naming setting and cause."""
    chain, _ = _read(cert_file, "tls.cert_file")
    secret, mode = _read(key_file, "tls.key_file")
    parts = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    try:
        leaf = x509.load_pem_x509_certificates(chain)[0]
        certificate = Certificate.of(leaf)
        of_leaf = leaf.public_key().public_bytes(*parts)
    except UNREADABLE as error:
        raise _refused("tls.cert_file", cert_file, f"no certificate in PEM ({error})") from None
    if mode & GROUP_WRITES_OTHERS_READ:
        way_out = f"chmod 600 {key_file}"
        raise ConfigError("tls.key_file", str(key_file), "others can read or change it", way_out)
    try:
        of_key = load_pem_private_key(secret, password=None).public_key().public_bytes(*parts)
    except UNREADABLE:
        raise _refused("tls.key_file", key_file, "no private key in PEM without a password") from None
    if of_key != of_leaf:
        raise _refused("tls.key_file", key_file, f"is not the key of {cert_file}")
    if not certificate.valid_from <= now < certificate.valid_until:
        problem = f"is valid from {certificate.valid_from:%F %R} to {certificate.valid_until:%F %R} UTC only"
        raise _refused("tls.cert_file", cert_file, problem)
    return certificate


def presented(host: str, port: int) -> Certificate | None:
    """The certificate that a server shows to whoever asks; nothing is said of its truth. None if nobody answers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), ASK_S_MAX) as plain,
            context.wrap_socket(plain, server_hostname=host) as line,
        ):
            shown = line.getpeercert(binary_form=True)
    except OSError:
        return None
    return None if shown is None else Certificate.of(x509.load_der_x509_certificate(shown))


def _read(path: Path, field: str) -> tuple[bytes, int]:
    """What is in a file and who may read it, of one and the same file."""
    try:
        with path.open("rb") as file:
            return file.read(), os.fstat(file.fileno()).st_mode
    except OSError as error:
        raise _refused(field, path, f"cannot be read ({error.strerror})") from None


def _refused(field: str, path: Path, problem: str) -> ConfigError:
    return ConfigError(field, str(path), problem, "Put a matching pair there; `ares tls certificate` makes one for dev")


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = [str(each) for each in names.get_values_for_type(x509.IPAddress)]
    return (*names.get_values_for_type(x509.DNSName), *addresses)
