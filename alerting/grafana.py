"""A Grafana that `ares ops up` runs with the project's boards, sources and, where it asks them, SQL alerts."""

from __future__ import annotations

import secrets
import shutil
from importlib import resources
from pathlib import Path

from alerting.program import HOST, Program, lay
from ares.config import AresConfig
from ares.config.settings import DatabaseConfig
from ares.errors import OperatingError, UsageError
from ares.files import make_once

TOKEN_BYTES = 24


def lay_grafana(config: AresConfig, ops: Path) -> None:
    """Put what Grafana reads at its start into place, and a password for `admin` made once.

    Boards lie in a checkout, not in the package. Raises `OperatingError` where they are wanted and there is none;
    `OSError`.
    """
    source, folder = Path(str(resources.files("alerting"))).parent / "grafana", ops / "grafana"
    if not (source / "provisioning").is_dir():
        if config.alerting.grafana_home is None:
            return
        raise OperatingError(f"{source}: the boards are in a checkout of Ares, not in its package. Run it from there")
    provisioning = folder / "provisioning"
    shutil.rmtree(provisioning, ignore_errors=True)
    shutil.copytree(source / "provisioning", provisioning)
    for empty in ("plugins", "notifiers"):  # it calls their absence an error
        (provisioning / empty).mkdir()
    alerting, places = provisioning / "alerting", _places(config)
    if config.alerting.sql_asked_by == "ops":
        shutil.rmtree(alerting)
    else:
        lay(alerting / "routes.yml", alerting, places)
    shutil.copytree(source / "dashboards", folder / "dashboards", dirs_exist_ok=True)
    sources = provisioning / "datasources"
    lay(sources / "ares.yml", sources, places)
    make_once(password_file(ops), secrets.token_urlsafe(TOKEN_BYTES).encode())


def password_file(ops: Path) -> Path:
    """Where the password of Grafana's `admin` is."""
    return ops / "grafana" / "admin_password"


def _places(config: AresConfig) -> dict[str, str]:
    database, alerting = config.database, config.alerting
    return {
        f"{HOST}:8812": f"{database.host}:{database.pg_port}",
        f"{HOST}:9090": f"{HOST}:{alerting.prometheus_port}",
        f"{HOST}:9093": f"{HOST}:{alerting.alertmanager_port}",
        "sslmode: disable": _encryption(database),
    }


def _encryption(database: DatabaseConfig) -> str:
    if database.tls != "verified":
        return "sslmode: disable"
    if database.tls_ca_file is None:
        return "sslmode: verify-full"
    return f"sslmode: verify-full\n      sslRootCertFile: {database.tls_ca_file.resolve()}"


def grafana(config: AresConfig, home: Path, ops: Path) -> Program:
    """What runs it, from a folder that Grafana was unpacked to. Raises `UsageError` where there is none."""
    folder, database = ops / "grafana", config.database
    environment = {
        "GF_PATHS_PROVISIONING": str(folder / "provisioning"),
        "GF_PATHS_DATA": str(ops / "data" / "grafana"),
        "GF_PATHS_LOGS": str(ops / "data" / "grafana" / "log"),
        "GF_PATHS_PLUGINS": str(ops / "data" / "grafana" / "plugins"),
        "GF_LOG_MODE": "console",
        "GF_SERVER_HTTP_ADDR": HOST,
        "GF_SERVER_HTTP_PORT": str(config.alerting.grafana_port),
        "GF_SECURITY_ADMIN_PASSWORD": f"$__file{{{password_file(ops)}}}",
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_USERS_ALLOW_SIGN_UP": "false",
        "GF_UNIFIED_ALERTING_ENABLED": "true",
        "GF_ALERTING_ENABLED": "false",
        "ARES_GRAFANA_BOARDS": str(folder / "dashboards"),
        "ARES_DATABASE__READONLY_USER": database.readonly_user,
        "ARES_DATABASE__READONLY_PASSWORD": database.readonly_password.get_secret_value(),
    }
    return Program(
        "grafana",
        [*_server(home), "--homepath", str(home.resolve())],
        config.alerting.grafana_port,
        "Unpack Grafana 9.3 or newer, and name its folder in alerting.grafana_home",
        "/api/health",
        environment,
        depends_on=("prometheus",),
    )


def _server(home: Path) -> list[str]:
    """The program in that folder: since Grafana 10 it is called `grafana server`."""
    for words in (["grafana", "server"], ["grafana-server"]):
        found = home / "bin" / words[0]
        if found.is_file():
            return [str(found.resolve()), *words[1:]]
    if shutil.which("grafana-server") is not None:
        return ["grafana-server"]
    raise UsageError(
        f"alerting.grafana_home = {str(home)!r}: neither bin/grafana nor bin/grafana-server is there, nor is "
        "grafana-server on the PATH. Name the folder that Grafana 9.3 or newer was unpacked to"
    )
