"""Goal: the registry of models lies in a Postgres that pods share, and its files in a volume that they share."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from analytics.models.registry import ModelRegistry, Pins
from ares.config.training import ModelsConfig
from tests.conftest import free_port
from tests.helpers import missing
from tests.postgres import INSTALL, postgres_bin, running_postgres


def test_two_pods_share_a_registry_and_its_files_lie_in_the_state_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = postgres_bin()
    if programs is None:
        missing(f"no PostgreSQL here: {INSTALL}")
    image = tmp_path / "image"
    image.mkdir()
    monkeypatch.chdir(image)
    fitted = tmp_path / "v1.joblib"
    fitted.write_bytes(b"a fit")
    with running_postgres(free_port(), programs) as postgres:
        config, state = ModelsConfig(tracking_uri=SecretStr(postgres.database())), tmp_path / "state"
        analytics = ModelRegistry.of(config, state)
        analytics.register(Pins("direction", "v1", "0" * 64, {"family": "forest"}, {"auc": 0.5}), fitted)
        errands = ModelRegistry.of(config, state)
        errands.point("direction", "champion", "v1")
        assert analytics.at("direction", "champion") == "v1"
    (kept,) = (state / "models" / "registry").rglob("v1.joblib")
    assert kept.read_bytes() == b"a fit"
    assert list(image.iterdir()) == [], "nothing is written beside the program: an image cannot be"


def test_a_server_of_mlflow_says_itself_where_files_are(tmp_path: Path) -> None:
    config = ModelsConfig(tracking_uri=SecretStr("https://mlflow.internal"))
    assert ModelRegistry.of(config, tmp_path).artifacts is None
    assert list(tmp_path.iterdir()) == []
