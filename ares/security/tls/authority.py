"""A certificate authority for a laptop or a rehearsal; real ones come from Vault, cert-manager or a public one."""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from ares.errors import UsageError
from ares.files import write_whole

AUTHORITY_DAYS = 3_650
SLACK = timedelta(minutes=5)
"""Certificates begin a little in the past: clocks of machines differ."""


def issue(folder: Path, hosts: list[str], days: int, now: datetime) -> tuple[Path, Path, Path]:
    """Write `server.pem` and `server.key` for these names and addresses, signed by the `ca.pem` of the folder.

    The authority is made if there is none. Returns the paths of authority, certificate and key. The certificate is
    replaced last, whole: who watches the files sees a key that does not fit for a moment, and waits for its other half.
    Raises `UsageError` when the folder holds something else under these names.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    ca_file, ca_key_file = folder / "ca.pem", folder / "ca.key"
    authority, authority_key = _authority(ca_file, ca_key_file, now)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _begun(_name(hosts[0]), authority.subject, key, now, days)
        .add_extension(x509.SubjectAlternativeName([_subject(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    cert_file, key_file = folder / "server.pem", folder / "server.key"
    write_whole(key_file, _private(key), 0o600)
    write_whole(cert_file, certificate.public_bytes(Encoding.PEM), 0o644)
    return ca_file, cert_file, key_file


def _authority(ca_file: Path, key_file: Path, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    if not key_file.exists() and not ca_file.exists():
        return _found_authority(ca_file, key_file, now)
    try:
        key = load_pem_private_key(key_file.read_bytes(), password=None)
        certificate = x509.load_pem_x509_certificate(ca_file.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{ca_file}, {key_file}: not an authority of ours ({error}). Name another folder") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise UsageError(f"{key_file}: not a key of ours. Name another folder")
    return certificate, key


def _found_authority(
    ca_file: Path, key_file: Path, now: datetime
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Ares dev authority")
    certificate = (
        _begun(name, name, key, now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_signs_certificates(), critical=True)
        .sign(key, hashes.SHA256())
    )
    write_whole(key_file, _private(key), 0o600)
    write_whole(ca_file, certificate.public_bytes(Encoding.PEM), 0o644)
    return certificate, key


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    """What every certificate says: whose key it is, who vouches for it, from when to when."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SLACK)
        .not_valid_after(now + timedelta(days=days))
    )


def _signs_certificates() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _subject(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
