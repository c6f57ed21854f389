"""Goal: a setting that refers to a secret gets it or stops everything; whoever repeats the secret is silenced."""

from __future__ import annotations

import io
import json
import logging
import os
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from typer.testing import CliRunner

from ares.commands.secrets import app
from ares.config import ConfigSource
from ares.config.changes import differences, take_over
from ares.config.secrets import AsWritten, SecretProblem, SecretReader
from ares.config.settings import SecretsConfig
from ares.errors import ConfigError, OperatingError, SecretUnavailable
from ares.redaction import HIDDEN, Redactor, redact
from ares.security.secrets.client import Vault
from ares.security.secrets.vault import VaultSecrets
from ares.security.tls.authority import issue
from ares.telemetry import configure_logging, get_logger


def source(tmp_path: Path, reference: str, **variables: str) -> ConfigSource:
    environ = {
        "ARES_ENVIRONMENT__STATE_DIR": str(tmp_path),
        "ARES_VENUES__SIM__API_KEY": reference,
        "ARES_VENUES__SIM__API_SECRET": "in-the-variable-itself",
        **variables,
    }
    return ConfigSource.of(environ=environ)


def key(there: ConfigSource) -> str:
    secret = there.load().venues["sim"].api_key
    assert secret is not None
    return secret.get_secret_value()


def held(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / "secret"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_secret_is_read_where_the_setting_says(tmp_path: Path) -> None:
    path = held(tmp_path, "from the file \n")
    assert key(source(tmp_path, f"file:{path}")) == "from the file "
    assert key(source(tmp_path, "env:MY_KEY", MY_KEY="from the variable")) == "from the variable"
    assert key(source(tmp_path, "plain: no reference at all")) == "plain: no reference at all"
    assert source(tmp_path, "env:MY_KEY").secrets.followed == 0


def test_changed_secret_is_a_change_that_running_services_take_up(tmp_path: Path) -> None:
    path = held(tmp_path, "key-until-now")
    there = source(tmp_path, f"file:{path}")
    before = there.load()
    assert there.secrets.followed == 1
    path.write_text("key-from-now-on", encoding="utf-8")
    (change,) = differences(before, there.load())
    assert (change.field, change.before, change.after, change.reloadable) == (
        "venues.sim.api_key",
        HIDDEN,
        HIDDEN,
        True,
    )
    taken = take_over(before, there.load()).venues["sim"].api_key
    assert taken == SecretStr("key-from-now-on")


@pytest.mark.parametrize(
    ("reference", "complaint"),
    [
        ("env:NOT_SET", r"venues\.sim\.api_key = 'env:NOT_SET': there is no such variable. Set NOT_SET"),
        ("env:EMPTY", "leads to an empty secret"),
        ("file:relative", "not an absolute path"),
        ("file:/nowhere/at/all", "cannot be read"),
        ("file:/dev/null", "not a file"),
        ("vault:a#b", r"secrets\.vault_url is not set. Set ARES_SECRETS__VAULT_URL"),
        ("transit:a#b", r"secrets\.vault_url is not set"),
    ],
)
def test_reference_that_leads_nowhere_stops_everything(tmp_path: Path, reference: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        source(tmp_path, reference, EMPTY="").load()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_file_that_others_can_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    path = held(tmp_path, "secret", mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        source(tmp_path, f"file:{path}").load()


AS_NOBODY = """
import os, sys
from ares.config.secrets import FileSecrets, SecretProblem
os.setgroups([int(sys.argv[2])])
os.setgid(65534)
os.setuid(65534)
try:
    print(FileSecrets().read(sys.argv[1]))
except SecretProblem as error:
    print("refused:", error.problem)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root makes files for another user's group")
@pytest.mark.parametrize(
    ("mode", "group", "said"),
    [
        (0o440, 10_001, "from the pod"),
        (0o460, 10_001, "refused: others can read or change it"),
        (0o444, 10_001, "refused: others can read or change it"),
        (0o440, 10_002, "refused: others can read or change it"),
    ],
)
def test_file_that_kubernetes_mounts_for_the_pods_own_group_is_read(mode: int, group: int, said: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = held(Path(folder), "from the pod", mode)
        os.chown(path, 0, 10_001)
        command = [sys.executable, "-c", AS_NOBODY, str(path), str(group)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == said


def test_file_of_somebody_else_or_without_text_is_refused(tmp_path: Path) -> None:
    path = held(tmp_path, "secret")
    os.chown(path, 12_345, -1)
    with pytest.raises(ConfigError, match="make it yours"):
        source(tmp_path, f"file:{path}").load()
    os.chown(path, 0, -1)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not text"):
        source(tmp_path, f"file:{path}").load()


def test_default_password_is_refused_outside_dev_however_it_is_referred_to(tmp_path: Path) -> None:
    path = held(tmp_path, "quest")
    environ = {"ARES_DATABASE__PASSWORD": f"file:{path}", "ARES_ENVIRONMENT__STATE_DIR": str(tmp_path)}
    with pytest.raises(ConfigError, match="the default password is for dev only"):
        ConfigSource.of("prod", environ=environ).load()


def test_store_that_is_away_is_told_from_a_reference_that_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away:
        def read(self, place: str) -> str:
            raise SecretProblem("does not answer", "Wait", passing=True)

    class Points:
        names = ("away",)

        def __getitem__(self, name: str) -> Points:
            return self

        def load(self) -> object:
            return lambda _: Away()

    monkeypatch.setattr("ares.config.secrets.metadata.entry_points", lambda group: Points())
    with pytest.raises(SecretUnavailable, match=r"does not answer\. Wait"):
        source(tmp_path, "away:key").load()


def test_settings_of_another_place_can_be_looked_at_without_their_secrets(tmp_path: Path) -> None:
    there = source(tmp_path, "vault:a#b")
    looked_at = ConfigSource(there.profile, there.directory, there.file, there.environ, AsWritten()).load()
    assert looked_at.venues["sim"].api_key == SecretStr("vault:a#b")


def test_login_to_a_store_is_not_itself_in_that_store() -> None:
    reader = ConfigSource.of(environ={}).secrets
    assert isinstance(reader, SecretReader)
    assert reader.own(SecretsConfig(vault_token=SecretStr("vault:a#b"))).vault_token == SecretStr("vault:a#b")


def test_check_lists_references_and_fails_with_the_first_that_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARES_ENVIRONMENT__STATE_DIR", str(tmp_path))
    monkeypatch.setenv("ARES_VENUES__SIM__API_KEY", "env:MY_KEY")
    ran = CliRunner().invoke(app, ["check", "--json"])
    assert isinstance(ran.exception, OperatingError)
    assert json.loads(ran.stdout) == [{"setting": "venues.sim.api_key", "reference": "env:MY_KEY", "state": "fails"}]
    monkeypatch.setenv("MY_KEY", "some-key-of-mine")
    ran = CliRunner().invoke(app, ["check", "--json"])
    assert [row["state"] for row in json.loads(ran.stdout)] == ["follows"]
    assert "nothing to encrypt" in str(CliRunner().invoke(app, ["encrypt", "key"], input="\n").exception)
    refused = CliRunner().invoke(app, ["encrypt", "key"], input="some secret\n")
    assert "secrets.vault_url is not set" in str(refused.exception)


class Broken(BaseHTTPRequestHandler):
    """A Vault in which something is wrong."""

    def do_POST(self) -> None:
        self.send_response(500)
        self.end_headers()
        self.wfile.write(b'{"errors": ["internal error"]}')

    def log_message(self, *_: object) -> None: ...


@contextmanager
def broken_vault(certificate: tuple[Path, Path] | None = None) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Broken)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def login(url: str, ca_file: Path | None = None) -> VaultSecrets:
    settings = SecretsConfig(vault_url=url, vault_role_id="r", vault_secret_id=SecretStr("s"), vault_ca_file=ca_file)
    return VaultSecrets(Vault(settings))


def test_vault_that_fails_inside_is_said_and_may_be_asked_again() -> None:
    with broken_vault() as port, pytest.raises(SecretProblem, match="failed: ") as caught:
        login(f"http://127.0.0.1:{port}").read("a#b")
    assert caught.value.passing


def test_vault_of_an_unknown_authority_is_sent_nothing(tmp_path: Path) -> None:
    authority, cert_file, key_file = issue(tmp_path, ["localhost"], 1, datetime.now(UTC))
    with broken_vault((cert_file, key_file)) as port:
        with pytest.raises(SecretProblem, match="certificate that is not trusted"):
            login(f"https://localhost:{port}").read("a#b")
        with pytest.raises(SecretProblem, match="failed: "):
            login(f"https://localhost:{port}", authority).read("a#b")


def test_address_that_is_none_is_hidden_whole() -> None:
    redactor = Redactor()
    redactor.learn("postgresql://[half-an-address")
    assert redactor("cannot reach postgresql://[half-an-address now") == "cannot reach (hidden) now"


secrets = st.text(min_size=6, max_size=40).filter(lambda text: "://" not in text)


@given(st.lists(secrets, min_size=1, max_size=5), st.text(), st.text())
def test_learnt_value_is_in_no_text_however_it_is_written(values: list[str], before: str, after: str) -> None:
    redactor = Redactor()
    for value in values:
        redactor.learn(value)
    for value in values:
        for form in (value, json.dumps(value)[1:-1], quote(value, safe="")):
            assert form not in redactor(f"[{form}]")


def test_short_values_and_what_was_never_learnt_stay() -> None:
    redactor = Redactor()
    assert redactor("quest") == "quest"
    redactor.learn("quest")
    assert redactor("questdb answers") == "questdb answers"


def test_password_of_a_url_is_hidden_and_the_rest_is_not() -> None:
    redactor = Redactor()
    redactor.learn("postgresql://ares:hunter22@db.example/ares")
    redactor.learn("sqlite:////var/lib/ares/control.db")
    assert redactor("cannot reach postgresql://ares:hunter22@db.example/ares") == (
        "cannot reach postgresql://ares:(hidden)@db.example/ares"
    )
    assert redactor("sqlite:////var/lib/ares/control.db") == "sqlite:////var/lib/ares/control.db"


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    stream, hook = io.StringIO(), sys.excepthook
    yield stream
    sys.excepthook = hook
    configure_logging("test", "info", json=False, stream=sys.stderr)


@pytest.mark.parametrize("as_json", [True, False])
def test_no_line_of_the_log_holds_a_secret_traceback_or_library_or_end(logs: io.StringIO, as_json: bool) -> None:
    redact.learn('very-"secret"-value')
    configure_logging("test", "info", json=as_json, stream=logs)
    log = get_logger("test")
    log.info("said", detail='the very-"secret"-value')
    logging.getLogger("library").warning('login with very-"secret"-value failed')
    try:
        raise RuntimeError('very-"secret"-value')
    except RuntimeError as error:
        log.exception("failed")
        sys.excepthook(type(error), error, error.__traceback__)
    text = logs.getvalue()
    assert 'very-"secret"-value' not in text
    assert r"very-\"secret\"-value" not in text
    assert "-value'" not in text
    assert text.count(HIDDEN) >= 4
    assert "process_failed" in text


def test_error_of_ours_never_holds_a_secret() -> None:
    redact.learn("another-secret-value")
    assert str(OperatingError("the server said another-secret-value")) == "the server said (hidden)"
