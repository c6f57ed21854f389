"""Keeps fitted models in files, and never unpickles one whose bytes are not those that were recorded."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import cast

import joblib

from analytics.models.families import Classifier
from ares.errors import OperatingError
from ares.files import write_whole


@dataclass(frozen=True, slots=True)
class Model:
    """A fitted model, ready to be asked. It may judge bars after `train_to_ns` honestly: it has not seen them."""

    name: str
    version: str
    features: tuple[str, ...]
    train_to_ns: int
    classifier: Classifier


def artifact_path(state_dir: Path, model: str, version: str) -> Path:
    """Where a version of a model is kept."""
    return state_dir / "models" / model / f"{version}.joblib"


def save(model: Model, path: Path) -> str:
    """Write a model so that the file is whole or absent; returns its SHA-256. Raises `OperatingError`.

    Its version is the file's name and not in the file: the same fit on the same rows has the same SHA-256.
    """
    buffer = io.BytesIO()
    joblib.dump(replace(model, version=""), buffer)
    data = buffer.getvalue()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data, 0o644)
    except OSError as error:
        raise OperatingError(f"model artifact {path} cannot be written: {error.strerror or error}") from None
    return sha256(data).hexdigest()


def load(path: Path, expected_sha256: str, version: str) -> Model:
    """Read a version back. Raises `OperatingError` if the file is missing or is not the one that was recorded."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OperatingError(f"model artifact {path} cannot be read: {error.strerror or error}") from None
    found = sha256(data).hexdigest()
    if found != expected_sha256:
        raise OperatingError(
            f"model artifact {path} is not the one that was recorded: sha256 {found}, not {expected_sha256}"
        )
    model = cast("Model", joblib.load(io.BytesIO(data)))
    assert isinstance(model, Model), f"{path} holds a {type(model).__name__}"
    return replace(model, version=version)
