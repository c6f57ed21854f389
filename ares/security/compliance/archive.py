"""The archive itself: a zip file whose comment is a signature over every byte before it.

Any zip program opens it. The signature covers local headers, directory and gaps alike, so no byte can change unseen;
the manifest, which comes last, names every file in order with its hash, size and lines. Times of making are left out:
the same period of the same store gives the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ares.errors import ArchiveBroken, UsageError
from ares.security.audit.signer import Signer, is_genuine
from ares.security.compliance.chains import require_whole
from ares.security.compliance.manifest import FORMAT, FileEntry, Manifest

MANIFEST = "MANIFEST.json"
BLOCK_BYTES = 1 << 20
MODE = 0o600
_SEAL = re.compile(rf"{FORMAT} (?P<key>[0-9a-f]{{16}}) (?P<signature>[0-9a-f]{{128}})")
SEAL_BYTES = len(FORMAT) + 1 + 16 + 1 + 128


class Archive:
    """An archive that is being written: file after file, streamed, then sealed.

    It appears under its name whole and signed, readable by its owner alone, or not at all.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = path.with_name(f".{path.name}.new")
        self.files: list[FileEntry] = []
        descriptor = os.open(self._draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, MODE)
        self._file: BinaryIO = os.fdopen(descriptor, "w+b")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED, allowZip64=True)

    @classmethod
    @contextmanager
    def writing(cls, path: Path) -> Iterator[Archive]:
        """Raises `UsageError` if there is such a file already, or none can be written there."""
        if path.exists():
            raise UsageError(
                f"out = {str(path)!r}: there is such a file, and evidence is not written over. Name another"
            )
        try:
            archive = cls(path)
        except OSError as error:
            raise UsageError(f"out = {str(path)!r}: {error.strerror}. Choose a file that can be written") from None
        try:
            yield archive
        finally:
            with suppress(OSError, ValueError):  # of a disk that is full, or a file of the zip that was left open
                archive._zip.close()
            archive._file.close()
            archive._draft.unlink(missing_ok=True)

    def add(self, name: str, lines: Iterable[bytes]) -> int:
        """Write a file from pieces of it; returns how many lines it has."""
        digest, size, count = hashlib.sha256(), 0, 0
        info = zipfile.ZipInfo(name)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.create_system = 3
        info.external_attr = MODE << 16
        with self._zip.open(info, "w", force_zip64=True) as file:
            for line in lines:
                file.write(line)
                digest.update(line)
                size += len(line)
                count += line.count(b"\n")
        self.files.append(FileEntry(name=name, sha256=digest.hexdigest(), size=size, lines=count))
        return count

    def add_file(self, name: str, path: Path) -> int:
        """Write a file that lies elsewhere, line by line."""
        with path.open("rb") as source:
            return self.add(name, source)

    def seal(self, manifest: Manifest, signer: Signer) -> str:
        """Close with the manifest and the signature; returns the SHA-256 of the whole file, hexadecimal."""
        self.add(MANIFEST, [manifest.text()])
        self._zip.comment = b"0" * SEAL_BYTES
        self._zip.close()
        self._file.flush()
        whole = hashlib.sha256()
        signed = _digest_before_seal(self._file, whole)
        seal = f"{FORMAT} {signer.key_id} {signer.sign(_payload(signer.key_id, signed))}".encode()
        assert len(seal) == SEAL_BYTES, "the place that was kept for it"
        whole.update(seal)
        self._file.seek(-SEAL_BYTES, os.SEEK_END)
        self._file.write(seal)
        self._file.flush()
        os.fsync(self._file.fileno())
        return whole.hexdigest()

    def publish(self) -> None:
        """Let the sealed archive appear under its name."""
        self._draft.replace(self._path)


def _payload(key_id: str, digest: str) -> bytes:
    return f"{FORMAT}\n{key_id}\n{digest}\n".encode()


def _digest_before_seal(file: BinaryIO, *others: hashlib._Hash) -> str:
    left = file.seek(0, os.SEEK_END) - SEAL_BYTES
    file.seek(0)
    digest = hashlib.sha256()
    while left > 0 and (block := file.read(min(BLOCK_BYTES, left))):
        left -= len(block)
        for each in (digest, *others):
            each.update(block)
    return digest.hexdigest()


def verify_archive(path: Path, keys: dict[str, Ed25519PublicKey]) -> Manifest:
    """Check every byte with nothing but public keys; returns what the archive says of itself.

    Nothing of it is parsed before its signature is known to be genuine. Raises `ArchiveBroken`, `UsageError` where
    there is no such file.
    """
    try:
        with path.open("rb") as file:
            _require_genuine(file, keys)
            with zipfile.ZipFile(file) as archive:
                return _checked(archive, keys)
    except OSError as error:
        raise UsageError(f"archive = {str(path)!r}: {error.strerror}. Name a file that can be read") from None
    except (zipfile.BadZipFile, zlib.error, ValueError, KeyError) as error:
        raise ArchiveBroken(f"signed, but not an archive of this format: {type(error).__name__}") from None


def _require_genuine(file: BinaryIO, keys: dict[str, Ed25519PublicKey]) -> None:
    if file.seek(0, os.SEEK_END) <= SEAL_BYTES:
        raise ArchiveBroken("too short to be an archive: it was cut off, or is something else")
    digest = _digest_before_seal(file)
    seal = _SEAL.fullmatch(file.read(SEAL_BYTES).decode("latin-1"))
    if seal is None:
        raise ArchiveBroken("no signature at its end: it was changed or cut off, or is something else")
    if seal["key"] not in keys:
        known = ", ".join(sorted(keys)) or "none"
        raise ArchiveBroken(f"signed by key {seal['key']}, and we were given: {known}. Ask for that public key")
    if not is_genuine(keys, seal["key"], _payload(seal["key"], digest), seal["signature"]):
        raise ArchiveBroken("the signature does not fit: the archive was changed after it was signed")


def _checked(archive: zipfile.ZipFile, keys: dict[str, Ed25519PublicKey]) -> Manifest:
    manifest = Manifest.model_validate_json(archive.read(MANIFEST))
    named = [*(each.name for each in manifest.files), MANIFEST]
    if archive.namelist() != named:
        raise ArchiveBroken("its files are not those that its manifest names, in that order")
    for each in manifest.files:
        digest, size, lines = hashlib.sha256(), 0, 0
        with archive.open(each.name) as file:
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
                size += len(block)
                lines += block.count(b"\n")
        if (digest.hexdigest(), size, lines) != (each.sha256, each.size, each.lines):
            raise ArchiveBroken(f"{each.name}: not what the manifest says")
    if not manifest.faults:
        with archive.open("audit.jsonl") as entries, archive.open("heads.jsonl") as heads:
            require_whole(manifest.chains, entries, heads, keys)
    return manifest


def fresh_folder(path: Path) -> Path:
    """An empty folder of ours beside an archive, for what is gathered before it is packed."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(mode=0o700)
    return path
