"""Goal: images and the compose file keep our rules of what runs in a container. Without a Docker engine."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from ares.commands.demo import SERVICES as OF_THE_DEMO
from ares.config import ConfigSource
from ares.config.changes import fingerprint
from ares.config.settings import DatabaseConfig
from tests.helpers import ROOT

IMAGES = ROOT / "deploy" / "images"
DOCKERFILES = sorted(IMAGES.glob("*.Dockerfile"))
COMPOSED = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: Mapping[str, dict[str, Any]] = COMPOSED["services"]
SCRIPTS = [
    IMAGES / "answers",
    IMAGES / "make-secrets",
    IMAGES / "local-base.sh",
    *sorted((ROOT / "infra").glob("*/build.sh")),
]
PUBLISH = {
    "gateway": "TLS alone, on loopback unless somebody says otherwise",
    "traces": "loopback; on the host's network, as the others of its profile, it would listen on all addresses",
}
FIRST = {"secrets", "kafka", "alertmanager", "traces"}
"""What waits for nobody."""
SKIPPED = {"CKV_DOCKER_7": "it does not follow the argument BASE; a test of ours reads its default, which has a tag"}
ASKED_NOTHING = {"secrets", "migrate", "traces"}
"""Two end, and Jaeger's image has nothing to ask itself with."""


def faults(name: str, service: Mapping[str, Any]) -> Iterator[str]:
    """What our rules say against a service."""
    if service.get("read_only") is not True:
        yield "may write to its image"
    if service.get("cap_drop") != ["ALL"] or service.get("cap_add"):
        yield "has capabilities"
    if service.get("security_opt") != ["no-new-privileges:true"] or service.get("privileged"):
        yield "may become more than it is"
    if any(each not in service for each in ("mem_limit", "cpus", "pids_limit")):
        yield "takes as much as there is"
    if not service.get("logging", {}).get("options", {}).get("max-size"):
        yield "may fill the disk with what it says"
    if service.get("ports") and name not in PUBLISH:
        yield "is published"
    if any(
        not re.match(r"127\.0\.0\.1:|\$\{ARES_GATEWAY_ADDRESS:-127\.0\.0\.1\}:", each)
        for each in service.get("ports", ())
    ):
        yield "is open to other machines"
    if not service.get("healthcheck", {}).get("test") and name not in ASKED_NOTHING:
        yield "is asked nothing"
    waits = service.get("depends_on", {})
    if name not in FIRST and not waits:
        yield "waits for nobody"
    if isinstance(waits, list) or any(each["condition"] == "service_started" for each in waits.values()):
        yield "waits for what has only started"
    image = service.get("image", "")
    if ":" not in image or image.endswith((":latest", ":latest}")):
        yield "does not say which image"
    if any("docker.sock" in str(each) for each in service.get("volumes", ())):
        yield "rules the engine"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_confined_bounded_and_waits_for_what_it_needs(name: str) -> None:
    assert list(faults(name, SERVICES[name])) == []


def test_a_service_without_bounds_is_found() -> None:
    loose = {"image": "x", "ports": ["8080:80"], "depends_on": ["y"], "volumes": ["/var/run/docker.sock:/s"]}
    assert len(list(faults("x", loose))) == 11


def test_every_service_says_in_which_profile_it_is() -> None:
    assert {each for service in SERVICES.values() for each in service["profiles"]} == {"demo", "ops", "scale"}


def test_the_containers_of_the_demo_run_what_ares_demo_runs_and_the_door() -> None:
    run = {
        service["command"][2]
        for service in SERVICES.values()
        if "demo" in service["profiles"] and service.get("command", [])[:2] == ["service", "run"]
    }
    assert run == {*OF_THE_DEMO, "api", "errands"}


def test_only_the_gateway_leads_out() -> None:
    assert COMPOSED["networks"]["inside"] == {"internal": True}
    leads_out = {
        name
        for name, service in SERVICES.items()
        if "ops" not in service["profiles"] and "outside" in service.get("networks", ())
    }
    assert leads_out == {"gateway"}


def settings(service: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """The variables of a service, with the secrets that they lead to in a folder of the test."""
    found = {}
    for name, value in service["environment"].items():
        if value is None:
            continue
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value)).replace("/var/lib/ares", str(folder))
        if text.startswith("file:"):
            file = folder / text.removeprefix("file:/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("made-by-the-test")
            file.chmod(0o600)
            text = f"file:{file}"
        found[name] = text
    return found


def ares_services() -> list[str]:
    return [name for name, service in SERVICES.items() if service.get("command", [])[:2] == ["service", "run"]]


def test_settings_load_in_every_container_and_are_the_same_in_all(tmp_path: Path) -> None:
    loaded = {name: ConfigSource.of(environ=settings(SERVICES[name], tmp_path)).load() for name in ares_services()}
    assert len({fingerprint(config) for config in loaded.values()}) == 1
    config = next(iter(loaded.values()))
    assert config.trading.control_url == f"http://trader:{config.trading.control_port}"
    assert config.venues["sim"].rest_url == f"http://exchange:{config.simulator.port}"
    assert config.database.password.get_secret_value() != DatabaseConfig().password.get_secret_value()


def test_no_guesses_lock_the_gateways_address_which_is_everybodys(tmp_path: Path) -> None:
    config = ConfigSource.of(environ=settings(SERVICES["api"], tmp_path)).load()
    assert config.access.failed_from_address_max > 60 * config.api.requests_per_minute_address


def test_the_settings_of_scale_send_ticks_over_kafka(tmp_path: Path) -> None:
    lines = (IMAGES / "scale.env").read_text(encoding="utf-8").splitlines()
    more = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert set(more) <= {name for name, value in SERVICES["ingest"]["environment"].items() if value is None}
    config = ConfigSource.of(environ={**settings(SERVICES["ingest"], tmp_path), **more}).load()
    assert (config.ingest.transport, config.kafka.servers) == ("kafka", "kafka:9092")


@pytest.mark.parametrize("name", [*ares_services(), "questdb", "migrate", "gateway"])
def test_a_container_is_given_the_secrets_that_it_is_told_of_and_none_beside(name: str) -> None:
    service = SERVICES[name]
    values = [str(each) for each in service.get("environment", {}).values()]
    if name == "gateway":
        values = re.findall(r"(/run/secrets/\S+)", (IMAGES / "gateway.conf").read_text(encoding="utf-8"))
    told = {str(Path(value.removeprefix("file:")).parent) for value in values if "/run/secrets/" in value}
    mounts = [each.split(":") for each in service["volumes"]]
    given = {mount[1]: mount[2:] for mount in mounts if mount[1].startswith("/run/secrets/")}
    assert set(given) == told
    assert all(mode == ["ro"] for mode in given.values()), "secrets are read"


def test_every_secret_is_made_and_every_volume_is_declared() -> None:
    made = set(re.findall(r"^keep (\S+)", (IMAGES / "make-secrets").read_text(encoding="utf-8"), re.MULTILINE))
    named = re.findall(
        r"/run/secrets/([\w/-]+)", json.dumps({name: s.get("environment", {}) for name, s in SERVICES.items()})
    )
    wanted = {each.replace("questdb/", "database/") for each in named}
    assert {each for each in wanted if not each.startswith("gateway")} == made
    used = {mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", ())}
    assert {each for each in used if not each.startswith((".", "$"))} == set(COMPOSED["volumes"])


def test_secrets_are_made_once_at_random_and_readable_by_nobody_else(tmp_path: Path) -> None:
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "ARES_PROFILE": "dev"}

    def make(folder: Path) -> dict[str, bytes]:
        subprocess.run([IMAGES / "make-secrets", folder], cwd=ROOT, env=environment, check=True, capture_output=True)
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        for group in ("access", "authority", "database", "gateway", "trader", "venue"):
            (folder / group).mkdir(parents=True)
    made, others = make(first), make(second)
    assert set(made) == set(others) >= {"database/password", "trader/control-token", "access/key", "gateway/server.pem"}
    words = {name: text for name, text in made.items() if not name.startswith(("authority", "gateway"))}
    assert len(set(words.values())) == len(words)
    assert not set(words.values()) & set(others.values())
    assert all((first / name).stat().st_mode & 0o077 == 0 for name in words)
    assert make(first) == made, "those that are there stay"
    (first / "venue" / "api-key").unlink()
    assert {name for name, text in make(first).items() if text != made[name]} == {"venue/api-key"}


def test_a_certificate_of_the_operators_own_stays(tmp_path: Path) -> None:
    for group in ("access", "authority", "database", "gateway", "trader", "venue"):
        (tmp_path / group).mkdir()
    (tmp_path / "gateway" / "server.pem").write_text("of a public authority")
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "ARES_PROFILE": "dev"}
    subprocess.run([IMAGES / "make-secrets", tmp_path], cwd=ROOT, env=environment, check=True, capture_output=True)
    assert (tmp_path / "gateway" / "server.pem").read_text() == "of a public authority"


def test_checkov_finds_nothing_in_the_images(checks: Path) -> None:
    command = [checks / "checkov", "--framework", "dockerfile", "--output", "json", "--skip-download"]
    files = [word for file in DOCKERFILES for word in ("--file", str(file))]
    done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    said = json.loads(done.stdout)
    assert said["summary"]["passed"] >= 20, done.stderr
    found = {each["check_id"] for each in said["results"]["failed_checks"]}
    assert found == set(SKIPPED), said["results"]["failed_checks"]


def test_checkov_finds_an_image_that_runs_as_root(checks: Path, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM debian:latest\nADD x /x\n")
    command = [checks / "checkov", "--framework", "dockerfile", "--directory", tmp_path, "--compact", "--skip-download"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert {"CKV_DOCKER_2", "CKV_DOCKER_3", "CKV_DOCKER_7"} <= set(re.findall(r"CKV_DOCKER_\d+", done.stdout))


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: str(file.name))
def test_an_image_is_pinned_runs_as_nobody_and_says_how_it_is(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert "# syntax=" not in text, "it would be fetched from a registry"
    assert text.startswith("#")
    assert re.search(r"^ARG BASE=debian:bookworm-slim$", text, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"${BASE}"}
    assert re.findall(r"^USER (\S+)", text, re.MULTILINE) == ["10001:10001"]
    assert re.search(r"^HEALTHCHECK ", text, re.MULTILINE)
    assert "--frozen" in text
    assert not re.search(r"https?://|curl|wget", text), "what is fetched is fetched by its ordinary client"


def test_the_images_hold_the_versions_that_the_project_runs() -> None:
    questdb = (IMAGES / "questdb.Dockerfile").read_text(encoding="utf-8")
    assert set(re.findall(r"QUESTDB_VERSION=(\S+)", questdb)) == {DatabaseConfig().questdb_version}
    assert (
        len(set(re.findall(r"UV_VERSION=(\S+)", "".join(file.read_text(encoding="utf-8") for file in DOCKERFILES))))
        == 1
    )
    ares = (IMAGES / "ares.Dockerfile").read_text(encoding="utf-8")
    copied = set(re.findall(r"^COPY (\w+) \1$", ares, re.MULTILINE))
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    packages = set(re.findall(r'"(\w+)"', re.search(r"^packages = \[(.*)\]", project, re.MULTILINE)[1]))  # type: ignore[index]
    assert copied == packages
    version = re.search(r'^version = "(.*)"', project, re.MULTILINE)
    assert version is not None
    assert f"ARG VERSION={version[1]}\n" in ares
    shown = set((ROOT / ".dockerignore").read_text(encoding="utf-8").split())
    assert {f"!{each}" for each in packages} <= shown


class Answer(BaseHTTPRequestHandler):
    """503 below /readyz, 200 elsewhere, and no line about it."""

    def do_GET(self) -> None:
        self.send_response(503 if self.path == "/readyz" else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_a_container_is_healthy_while_it_answers_200(port: int) -> None:
    def healthy(path: str) -> bool:
        return subprocess.run([IMAGES / "answers", str(port), path], capture_output=True, check=False).returncode == 0

    assert not healthy("/livez"), "nobody listens"
    server = ThreadingHTTPServer(("127.0.0.1", port), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert healthy("/livez")
        assert not healthy("/readyz")
    finally:
        server.shutdown()
        server.server_close()


def test_scripts_are_clean() -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    command = [shellcheck, "--external-sources", "--source-path=SCRIPTDIR", *SCRIPTS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert all(script.stat().st_mode & 0o111 for script in SCRIPTS)
