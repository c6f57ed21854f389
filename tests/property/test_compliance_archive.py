"""Whatever is done to a signed archive, verifying tells; untouched, it is genuine."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ares.errors import ArchiveBroken, UsageError
from ares.security.audit import LocalSigner
from ares.security.compliance import Archive, Manifest, Period, verify_archive
from ares.security.compliance.archive import SEAL_BYTES
from ares.security.compliance.manifest import FORMAT

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNER = LocalSigner(KEY)
KEYS = {SIGNER.key_id: KEY.public_key()}


def manifest_of(archive: Archive) -> Manifest:
    return Manifest(
        format=FORMAT, period=Period.of(0, 1), release="1", schema_level=1, files=tuple(archive.files),
        chains=(), faults=(), left_out={},
    )  # fmt: skip


def write(path: Path, files: dict[str, list[bytes]]) -> None:
    with Archive.writing(path) as archive:
        for name, lines in files.items():
            archive.add(name, lines)
        archive.seal(manifest_of(archive), SIGNER)
        archive.publish()


FILES: dict[str, list[bytes]] = {
    "audit.jsonl": [],
    "heads.jsonl": [],
    "events/order.jsonl": [b'{"n":%d}\n' % n for n in range(40)],
    "tables/decisions.jsonl": [b'{"n":%d}\n' % n for n in range(3)],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    there = tmp_path_factory.mktemp("archive")
    write(there / "genuine.zip", FILES)
    return there


def refused(folder: Path, content: bytes) -> None:
    changed = folder / "changed.zip"
    changed.write_bytes(content)
    with pytest.raises(ArchiveBroken):
        verify_archive(changed, KEYS)


def packed(files: dict[str, bytes], seal: bytes) -> bytes:
    """Another archive of these files under the seal of the genuine one."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
        archive.comment = seal
    return target.getvalue()


def unpacked(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_untouched_archive_is_genuine_and_an_ordinary_zip_file(folder: Path) -> None:
    path = folder / "genuine.zip"
    assert [each.name for each in verify_archive(path, KEYS).files] == list(FILES)
    assert path.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [*FILES, "MANIFEST.json"]


def test_same_files_give_the_same_bytes(folder: Path) -> None:
    write(folder / "again.zip", FILES)
    assert (folder / "again.zip").read_bytes() == (folder / "genuine.zip").read_bytes()


@given(st.data())
def test_any_change_of_bytes_is_found(folder: Path, data: st.DataObject) -> None:
    genuine = (folder / "genuine.zip").read_bytes()
    at = data.draw(st.integers(0, len(genuine) - 1))
    length = data.draw(st.integers(1, 60))
    other = data.draw(st.binary(min_size=1, max_size=40))
    changes: dict[str, Callable[[], bytes]] = {
        "flipped": lambda: genuine[:at] + bytes([genuine[at] ^ data.draw(st.integers(1, 255))]) + genuine[at + 1 :],
        "removed": lambda: genuine[:at] + genuine[at + length :],
        "inserted": lambda: genuine[:at] + other + genuine[at:],
        "cut": lambda: genuine[:at],
        "appended": lambda: genuine + other,
        "led in": lambda: other + genuine,
        "doubled": lambda: genuine + genuine,
    }
    content = changes[data.draw(st.sampled_from(sorted(changes)))]()
    if content != genuine:
        refused(folder, content)


@given(st.data())
def test_any_change_of_files_is_found(folder: Path, data: st.DataObject) -> None:
    genuine = (folder / "genuine.zip").read_bytes()
    files, seal = unpacked(genuine), genuine[-SEAL_BYTES:]
    victim = data.draw(st.sampled_from(sorted(files)))
    order = data.draw(st.permutations(sorted(files)))
    changes = {
        "removed": {name: content for name, content in files.items() if name != victim},
        "added": files | {"events/more.jsonl": b"{}\n"},
        "changed": files | {victim: files[victim] + b" "},
        "emptied": files | {victim: b""},
        "reordered": {name: files[name] for name in order},
        "renamed": {("events/x" if name == victim else name): content for name, content in files.items()},
    }
    refused(folder, packed(changes[data.draw(st.sampled_from(sorted(changes)))], seal))


@pytest.mark.parametrize("change", ["removed", "added", "reordered", "emptied"])
def test_files_unlike_the_manifest_are_found_even_where_the_key_signed_them(folder: Path, change: str) -> None:
    """As by a program of somebody who has the key."""
    path = folder / f"{change}.zip"
    path.unlink(missing_ok=True)
    with Archive.writing(path) as archive:
        for name, lines in FILES.items():
            archive.add(name, lines)
        entries = list(archive.files)
        if change == "added":
            archive.add("events/more.jsonl", [b"{}\n"])
        whole = manifest_of(archive).model_copy(update={"files": tuple(entries)})
        if change == "removed":
            whole = whole.model_copy(update={"files": (*entries, entries[0].model_copy(update={"name": "gone"}))})
        if change == "reordered":
            whole = whole.model_copy(update={"files": tuple(reversed(entries))})
        if change == "emptied":
            whole = whole.model_copy(update={"files": (*entries[:-1], entries[-1].model_copy(update={"lines": 0}))})
        archive.seal(whole, SIGNER)
        archive.publish()
    with pytest.raises(ArchiveBroken, match="manifest"):
        verify_archive(path, KEYS)


def test_archive_by_an_unknown_key_names_it_and_one_that_is_not_there_is_a_usage_error(folder: Path) -> None:
    stranger = LocalSigner(Ed25519PrivateKey.from_private_bytes(bytes(32)))
    with pytest.raises(ArchiveBroken, match=f"signed by key {SIGNER.key_id}, and we were given: {stranger.key_id}"):
        verify_archive(folder / "genuine.zip", {stranger.key_id: Ed25519PrivateKey.generate().public_key()})
    with pytest.raises(UsageError, match="No such file"):
        verify_archive(folder / "absent.zip", KEYS)
    refused(folder, b"")
    refused(folder, b"not an archive" * 40)


def test_archive_that_was_begun_and_not_finished_leaves_nothing(folder: Path) -> None:
    path = folder / "begun.zip"
    with pytest.raises(ZeroDivisionError), Archive.writing(path) as archive:
        archive.add("a", (b"%d\n" % (1 // n) for n in (1, 0)))
    assert not list(folder.glob("*begun*"))
    with pytest.raises(UsageError, match="evidence is not written over"), Archive.writing(folder / "genuine.zip"):
        pass
    with pytest.raises(UsageError, match="Choose a file"), Archive.writing(folder / "nowhere" / "a.zip"):
        pass
