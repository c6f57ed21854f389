"""MLflow's registry of models: the one door to it, and the arbiter of which version is which stage.

It keeps, beside the file, all that a version rests on. Importing it takes seconds, so nothing does before it must; it
tells nobody of what is done here and prints nothing.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from ares.config.training import ModelsConfig
from ares.errors import OperatingError, UnknownName
from ares.files import write_whole

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

Stage = Literal["candidate", "challenger", "champion"]
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_CONFIGURE_LOGGING": "false"}
SQLITE = "sqlite:///"
DATABASES = (SQLITE, "postgresql")
"""Stores that this process speaks to itself; others are servers, which keep files too."""
OLD_WORDS = r"The ``noload`` loader strategy is deprecated"
"""MLflow 3.17 asks SQLAlchemy 2.1 so; nobody who reads our logs can change it."""
MISSING = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}
"""A model that is not there; an alias that is not is said to be a wrong value."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pins:
    """What a version rests on, by which it can be made again: all text, as the registry keeps it."""

    model: str
    version: str
    artifact_sha256: str
    what: Mapping[str, str]
    metrics: Mapping[str, float]


@dataclass(slots=True)
class ModelRegistry:
    """Versions, their files and their stages. Every method raises `OperatingError` if the store cannot be used."""

    uri: str
    artifacts: str | None
    _client: MlflowClient | None = None

    @classmethod
    def of(cls, config: ModelsConfig, state_dir: Path) -> ModelRegistry:
        """The registry that the settings name, else MLflow's own variable; by default below the state directory.

        A server keeps files where it says. A database keeps none: they lie beside it, or below the state directory.
        """
        named = config.tracking_uri
        uri = named.get_secret_value() if named else os.environ.get("MLFLOW_TRACKING_URI", "")
        uri = uri or f"{SQLITE}{state_dir / 'models' / 'registry' / 'mlflow.db'}"
        if not uri.startswith(DATABASES):
            return cls(uri, None)
        is_file = uri.startswith(SQLITE)
        folder = Path(uri.removeprefix(SQLITE)).resolve().parent if is_file else state_dir / "models" / "registry"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OperatingError(f"registry of models {folder}: {error.strerror or error}") from None
        return cls(uri, (folder.resolve() / "files").as_uri())

    def register(self, pins: Pins, artifact: Path) -> str:
        """Keep a version with its file; returns the registry's id of its run. A second time is another run."""
        with self._reached() as client:
            experiment = client.get_experiment_by_name(pins.model)
            made = experiment.experiment_id if experiment else client.create_experiment(pins.model, self.artifacts)
            run = client.create_run(made, run_name=pins.version, tags={**pins.what, "version": pins.version})
            run_id = str(run.info.run_id)
            for name, value in pins.metrics.items():
                client.log_metric(run_id, name, value)
            client.log_artifact(run_id, str(artifact))
            client.set_terminated(run_id)
            if _or_none(lambda: client.get_registered_model(pins.model)) is None:
                client.create_registered_model(pins.model)
            source = f"{run.info.artifact_uri}/{artifact.name}"
            tags = {**pins.what, "version": pins.version, "artifact_sha256": pins.artifact_sha256}
            client.create_model_version(pins.model, source, run_id, tags=tags)
            return run_id

    def point(self, model: str, stage: Stage, version: str) -> None:
        """Let a stage be this version from now on. Raises `UnknownName`."""
        number = self._number(model, version)
        with self._reached() as client:
            client.set_registered_model_alias(model, stage, number)

    def clear(self, model: str, stage: Stage) -> None:
        """Let a stage be no version; harmless if it is none."""
        if self.at(model, stage) is not None:
            with self._reached() as client:
                client.delete_registered_model_alias(model, stage)

    def at(self, model: str, stage: Stage) -> str | None:
        """The version that a stage is."""
        with self._reached() as client:
            found = _or_none(lambda: client.get_model_version_by_alias(model, stage))
        return None if found is None else str(found.tags["version"])

    def pinned(self, model: str, version: str) -> dict[str, str]:
        """What a version rests on. Raises `UnknownName`."""
        number = self._number(model, version)
        with self._reached() as client:
            return {str(k): str(v) for k, v in client.get_model_version(model, number).tags.items()}

    def restore(self, model: str, version: str, path: Path) -> None:
        """Put a version's file back where it is read from, if it is not there."""
        if path.exists():
            return
        number = self._number(model, version)
        with self._reached() as client:
            run_id = client.get_model_version(model, number).run_id
            found = Path(client.download_artifacts(str(run_id), path.name))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, found.read_bytes(), 0o644)
        except OSError as error:
            raise OperatingError(f"model artifact {path} cannot be written: {error.strerror or error}") from None

    def _number(self, model: str, version: str) -> str:
        with self._reached() as client:
            found = client.search_model_versions(f"name = '{model}' and tags.version = '{version}'", max_results=2)
            if found:
                return str(found[0].version)
            known = client.search_model_versions(f"name = '{model}'", max_results=5)
        raise UnknownName("version", version, [str(each.tags.get("version")) for each in known])

    @contextmanager
    def _reached(self) -> Iterator[MlflowClient]:
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - below `_opened` for its settings
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - as above

        try:
            yield self._opened()
        except MlflowException as error:
            raise OperatingError(f"registry of models: {error.message}") from None
        except SQLAlchemyError as error:
            raise OperatingError(f"registry of models: {error}") from None

    def _opened(self) -> MlflowClient:
        if self._client is None:
            os.environ.update(QUIET)
            from mlflow.tracking import MlflowClient  # noqa: PLC0415 - takes two seconds

            warnings.filterwarnings("ignore", message=OLD_WORDS)
            logging.getLogger("mlflow").setLevel(logging.WARNING)
            logging.getLogger("alembic").setLevel(logging.WARNING)
            self._client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        return self._client


def _or_none(ask: Callable[[], T]) -> T | None:
    """What the registry answers; None if it has no such thing."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - only where a client is there already

    try:
        return ask()
    except MlflowException as error:
        if error.error_code in MISSING:
            return None
        raise
