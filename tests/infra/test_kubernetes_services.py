"""Goal: a cluster runs the services and jobs that `ares up` would; their settings load, and they get their secrets."""

from __future__ import annotations

import re
import runpy
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from ares.clock import SystemClock
from ares.commands.services import PRODUCTION, optional_services
from ares.config import AresConfig, ConfigSource
from ares.config.changes import fingerprint
from ares.errors import ConfigError
from ares.service import ServiceContext
from ares.service.jobs import JobScheduler, JobSpec
from ares.service.registry import job, job_names, service, service_names
from ares.store.server import EmbeddedQuestDB
from tests.kubernetes import (
    KUBERNETES,
    OVERLAYS,
    TEMPLATES,
    Object,
    commands,
    composed,
    environment,
    named,
    of_kind,
    overlay,
    pods,
    rendered,
)
from trader.live.settings import LIMITS, require_meant

SIMULATED = ("dev", "staging")
BESIDE = {"alerts"}
"""What `ares up` leaves to `ares ops up`."""
BUILT_BY = ("exchange", "influx", "kafka", "tls", "mesh")
"""Components that bring services, and the one without which no profile but dev lets them speak to one another."""


def run_by(there: Sequence[Object], group: str = "service") -> dict[str, list[str]]:
    """Names of services, or jobs, that some container runs, with what follows the name."""
    return {args[2]: list(args[3:]) for _, _, args in commands(there) if args[:2] == [group, "run"]}


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Object]:
    """Base, with all of them."""
    return rendered(composed(tmp_path_factory.mktemp("everything"), *BUILT_BY))


class Place:
    """What a container would find at the paths that its variables name, below a folder of the test."""

    def __init__(self, there: Sequence[Object], folder: Path) -> None:
        self._there = there
        self._folder = folder
        settings = folder / "ares.toml"
        settings.write_text(named(there, "ConfigMap", "ares-settings")["data"]["ares.toml"], encoding="utf-8")
        self._settings = settings

    def config(self, container: Object, **more: str) -> AresConfig:
        """Its settings; raises `ConfigError` as its process would."""
        variables = {**environment(self._there, container), **more}
        assert variables["ARES_CONFIG"] == "/etc/ares/ares.toml"
        environ = {key: self._here(value) for key, value in variables.items() if key.startswith("ARES_")}
        return ConfigSource.of(environ={**environ, "ARES_CONFIG": str(self._settings)}).load()

    def _here(self, value: str) -> str:
        if not value.startswith("file:"):
            return value.replace("/var/lib/ares", str(self._folder))
        path = self._folder / value.removeprefix("file:/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("postgresql+psycopg://ares@db.internal/ares?sslmode=verify-full", encoding="utf-8")
        path.chmod(0o600)
        return f"file:{path}"


def test_every_service_of_the_registry_is_run_by_some_manifest(everything: Sequence[Object]) -> None:
    assert sorted(run_by(everything)) == service_names()


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_runs_what_ares_up_would_run_by_its_settings(name: str, tmp_path: Path) -> None:
    there = overlay(name)
    container = next(container for _, container, args in commands(there) if args[:2] == ["service", "run"])
    config = Place(there, tmp_path).config(container)
    wanted = {*PRODUCTION, *optional_services(config), *BESIDE} | ({"exchange"} if name in SIMULATED else set())
    assert set(run_by(there)) == wanted


def test_every_job_is_scheduled_once_by_a_service_or_by_a_cronjob(
    everything: Sequence[Object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduled: list[str] = []

    def note(_: JobScheduler, __: ServiceContext, specs: Sequence[JobSpec], apart: Sequence[JobSpec] = ()) -> None:
        scheduled.extend(spec.name for spec in (*specs, *apart))

    monkeypatch.setattr(JobScheduler, "__init__", note)
    monkeypatch.chdir(KUBERNETES.parents[1])
    place = Place(everything, tmp_path)
    for _, container, args in commands(everything):
        if args[:2] == ["service", "run"]:
            config = place.config(container, ARES_INFLUX__URL="https://influx.internal")
            service(args[2]).build(ServiceContext(config, SystemClock(), args[2]))
    by_hand = run_by(everything, "job")
    assert len(scheduled) == len(set(scheduled))
    assert sorted([*scheduled, *by_hand]) == job_names(), "a job that nobody runs, or that two do"
    assert all(options == ["--scheduled"] for options in by_hand.values()), "it claims its slot"


@pytest.mark.parametrize("name", OVERLAYS)
def test_cronjobs_run_when_the_settings_say(name: str, tmp_path: Path) -> None:
    there = overlay(name)
    for pod, container, args in commands(there):
        if args[:2] == ["job", "run"]:
            cron = named(there, "CronJob", pod.name)
            assert cron["spec"]["schedule"] == job(args[2]).cron(Place(there, tmp_path).config(container))
            assert cron["spec"]["timeZone"] == "Etc/UTC"
            assert cron["spec"]["concurrencyPolicy"] == "Forbid"


@pytest.mark.parametrize("name", OVERLAYS)
def test_settings_load_in_every_pod_and_are_the_same_in_all(name: str, tmp_path: Path) -> None:
    there = overlay(name)
    place = Place(there, tmp_path)
    loaded = {f"{pod.name}/{each['name']}": place.config(each) for pod, each, _ in commands(there)}
    assert len({fingerprint(config) for config in loaded.values()}) == 1, "each would record a change at its start"
    config = next(iter(loaded.values()))
    assert config.environment.profile == name.removesuffix("-kafka")
    assert config.trading.control_url == f"http://trader:{config.trading.control_port}"


@pytest.mark.parametrize("name", ["staging", "prod", "prod-kafka"])
def test_readers_that_come_by_one_gateway_are_not_taken_for_one_that_asks_too_much(name: str, tmp_path: Path) -> None:
    """A pod of the API is there for so many, and sees a single address: each may ask something every second."""
    there = overlay(name)
    scaled = named(there, "HorizontalPodAutoscaler", "api")["spec"]["metrics"]
    readers = next(int(each["pods"]["target"]["averageValue"]) for each in scaled if each["type"] == "Pods")
    container = next(container for pod, container, _ in commands(there) if pod.name == "api")
    api = Place(there, tmp_path).config(container).api
    assert api.requests_per_minute_address >= 60 * readers
    assert api.requests_per_minute_address > api.requests_per_minute, "one user who asks too much stops nobody else"


def test_users_are_made_by_the_guide_in_a_pod_that_has_what_seals_their_factors() -> None:
    guide = (KUBERNETES.parents[1] / "docs" / "guides" / "operator" / "kubernetes.md").read_text(encoding="utf-8")
    found = re.findall(r"exec -it deployment/(\S+) -- ares (user|doctor)", guide)
    assert {what for _, what in found} == {"user", "doctor"}
    assert {pod for pod, _ in found} <= holders(overlay("prod"), "ares-access")


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_guesses_lock_the_gateways_address_which_is_everybodys(name: str, tmp_path: Path) -> None:
    there = overlay(name)
    config = Place(there, tmp_path).config(next(each for _, each, args in commands(there) if "api" in args))
    assert config.access.failed_from_address_max > 60 * config.api.requests_per_minute_address


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_secret_that_a_container_is_told_of_is_mounted_there_and_none_beside(name: str) -> None:
    there = overlay(name)
    for pod, container, args in commands(there):
        told = {
            value.removeprefix("file:") for value in environment(there, container).values() if value.startswith("file:")
        }
        volumes = {each["name"]: each for each in pod.spec["volumes"]}
        mounts = {
            each["mountPath"]: volumes[each["name"]] for each in container["volumeMounts"] if each["name"] in volumes
        }
        secret = {path: volume for path, volume in mounts.items() if "secret" in volume or path == "/run/secrets/ares"}
        assert {str(Path(each).parent) for each in told} <= set(secret), (pod.name, args)
        used = {path for path in secret if any(each.startswith(f"{path}/") for each in told)}
        assert set(secret) - used <= {"/run/secrets/tls"}, f"{pod.name} is given a secret that it does not read"


def test_the_venues_keys_are_in_the_traders_pod_alone() -> None:
    for name in ("prod", "prod-kafka"):
        assert holders(overlay(name), "ares-venue") == {"trader"}
    assert holders(overlay("staging"), "ares-venue") == {"trader", "exchange"}
    assert holders(overlay("prod"), "ares-trader") == {"trader", "api", "notifier", "alerts"}
    assert holders(overlay("prod"), "ares-access") == {"api", "notifier"}
    assert holders(overlay("prod"), "ares-backup") == {"questdb"}


def holders(there: Sequence[Object], secret: str) -> set[str]:
    return {
        pod.name
        for pod in pods(there)
        for volume in pod.spec["volumes"]
        if volume.get("secret", {}).get("secretName") == secret
    }


@pytest.mark.parametrize("name", OVERLAYS)
def test_what_trading_needs_starts_without_the_shared_volume(name: str) -> None:
    sharing = {
        pod.name
        for pod in pods(overlay(name))
        for volume in pod.spec["volumes"]
        if volume.get("persistentVolumeClaim", {}).get("claimName") == "ares-state"
    }
    assert sharing == {"mirror", "analytics", "errands", "api"}


def test_production_trades_nothing_before_somebody_meant_it(tmp_path: Path) -> None:
    there = overlay("prod")
    trader = next(container for pod, container, _ in commands(there) if pod.name == "trader")
    place = Place(there, tmp_path)
    with pytest.raises(ConfigError, match=r"trading\.live"):
        require_meant(place.config(trader))
    meant = {f"ARES_TRADING__RISK__{limit.upper()}": "1000" for limit in LIMITS}
    require_meant(place.config(trader, ARES_TRADING__LIVE="true", **meant))
    for name in SIMULATED:
        there = overlay(name)
        trader = next(container for pod, container, _ in commands(there) if pod.name == "trader")
        require_meant(Place(there, tmp_path).config(trader))


def test_questdb_is_set_up_as_the_one_that_tests_run_on(tmp_path: Path) -> None:
    there = overlay("prod")
    given = named(there, "ConfigMap", "questdb")["data"]
    ours = dict(EmbeddedQuestDB(AresConfig().database, tmp_path).environment())
    doors = {each for each in ours if each.endswith("BIND_TO")}
    secret = {each for each in ours if each.endswith("PASSWORD")}
    assert {key: value for key, value in given.items() if key not in doors} == {
        key: value for key, value in ours.items() if key not in doors | secret
    }
    assert {key: given[key] for key in doors} == {key: ours[key].replace("127.0.0.1", "0.0.0.0") for key in doors}
    container = next(pod for pod in pods(there) if pod.name == "questdb").container("questdb")
    assert {each["name"] for each in container["env"]} == {f"{each}_FILE" for each in secret}


def test_what_is_generated_is_fresh() -> None:
    generated: Mapping[str, str] = runpy.run_path(str(KUBERNETES / "generate.py"))["generated"]()
    stale = [place for place, text in generated.items() if (KUBERNETES / place).read_text(encoding="utf-8") != text]
    assert stale == [], "python deploy/kubernetes/generate.py"


@pytest.mark.parametrize("name", OVERLAYS)
def test_services_lead_to_pods_and_disruptions_are_bounded(name: str) -> None:
    there = overlay(name)
    for each in of_kind(there, "Service"):
        selected = [pod for pod in pods(there) if each["spec"]["selector"].items() <= pod.labels.items()]
        assert len(selected) == 1, each["metadata"]["name"]
        ports = {one["name"] for container in selected[0].containers for one in container.get("ports", ())}
        assert {one["targetPort"] for one in each["spec"]["ports"]} <= ports
    bounded = {}
    for each in of_kind(there, "PodDisruptionBudget"):
        labels = each["spec"]["selector"]["matchLabels"]
        (pod,) = [pod for pod in pods(there) if labels.items() <= pod.labels.items()]
        bounded[pod.name] = each["spec"]
    assert set(bounded) == {pod.name for pod in pods(there) if pod.kind != "CronJob"}
    assert all(spec.get("minAvailable", 0) < 2 for spec in bounded.values()), "a drain must be possible"


@pytest.mark.parametrize("name", OVERLAYS)
def test_pods_are_selected_by_their_own_labels_and_find_their_accounts(name: str) -> None:
    there = overlay(name)
    accounts = {each["metadata"]["name"] for each in of_kind(there, "ServiceAccount")}
    for each in of_kind(there, *TEMPLATES):
        pod = next(pod for pod in pods(there) if (pod.kind, pod.name) == (each["kind"], each["metadata"]["name"]))
        assert pod.spec["serviceAccountName"] == pod.name
        assert pod.name in accounts
        if each["kind"] != "CronJob":
            assert each["spec"]["selector"]["matchLabels"].items() <= pod.labels.items()
        volumes = {volume["name"] for volume in pod.spec.get("volumes", ())}
        volumes |= {claim["metadata"]["name"] for claim in each["spec"].get("volumeClaimTemplates", ())}
        for container in pod.containers:
            assert {mount["name"] for mount in container.get("volumeMounts", ())} <= volumes, pod.name
    tokens = [pod.name for pod in pods(there) if "serviceAccountToken" in str(pod.spec["volumes"])]
    assert tokens == [
        each["metadata"]["name"] for each in of_kind(there, "CronJob") if "snapshots" in str(each["metadata"])
    ]


def test_what_scales_is_spread_over_zones() -> None:
    there = overlay("prod-kafka")
    for each in of_kind(there, "HorizontalPodAutoscaler"):
        pod = next(pod for pod in pods(there) if pod.name == each["spec"]["scaleTargetRef"]["name"])
        keys = [one["topologyKey"] for one in pod.spec["topologySpreadConstraints"]]
        assert "topology.kubernetes.io/zone" in keys, pod.name
