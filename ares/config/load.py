"""Layers of settings, weakest first: default.toml, <profile>.toml, your own file, overrides, ARES_* variables."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from ares.config.feeds import refuse_impossible_feed
from ares.config.hosts import is_here
from ares.config.replicas import PRIMARY
from ares.config.secrets import SecretReader, SecretResolver
from ares.config.settings import DEFAULT_PASSWORD, AresConfig
from ares.config.trading import ProtectionConfig, TradingConfig
from ares.errors import ConfigError
from ares.redaction import HIDDEN

PREFIX = "ARES_"
PROFILES = ("dev", "staging", "prod")
CONTROL_VARIABLES = frozenset({"ARES_PROFILE", "ARES_CONFIG", "ARES_ERRAND"})
"""Variables that steer the loading itself, or say for whom a process works, and name no setting; ARES_CI and
ARES_TEST_* belong to the tests.
"""

OVERRIDES = Path("config", "overrides.toml")
"""Within the state directory, what `ares config` changed here; in a folder of its own, so that it can be watched."""

SECRET_WORDS = ("secret", "password", "api_key", "url")

SAID_MODES = frozenset({"verify-full", "verify-ca", "require", "disable"})
"""Of libpq's `sslmode`: those that do what they say; `allow` and `prefer` fall back to clear text."""

TRAILING_PCT_MAX, TRAILING_PCT_STEP = Decimal(10), Decimal("0.1")
"""By how many percent a venue of contracts lets a stop follow the market."""
HUNDRED = Decimal(100)

Tree = dict[str, object]


class _Environment(BaseSettings):
    """Only here to let pydantic-settings read ARES_* variables as it documents it."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="ignore")


@dataclass(frozen=True, slots=True)
class ConfigSource:
    """Where an Ares takes its settings from; reading it again finds what has changed in the files since."""

    profile: str
    directory: Path
    file: Path | None
    environ: Mapping[str, str]
    secrets: SecretResolver = field(compare=False)

    @classmethod
    def of(
        cls,
        profile: str | None = None,
        file: Path | None = None,
        environ: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> Self:
        """`profile` defaults to ARES_PROFILE, then dev; `file` to ARES_CONFIG. Raises `ConfigError`."""
        env = dict(os.environ) if environ is None else environ
        chosen = profile or env.get("ARES_PROFILE") or "dev"
        if chosen not in PROFILES:
            raise ConfigError("ARES_PROFILE", chosen, "no such profile", f"Choose one of {', '.join(PROFILES)}")
        own = file or (Path(env["ARES_CONFIG"]) if env.get("ARES_CONFIG") else None)
        return cls(chosen, directory or config_dir(), own, env, SecretReader(env))

    def load(self, overrides: Tree | None = None) -> AresConfig:
        """Read all layers and validate them whole; `overrides` instead of the file of that name, to try them.

        Raises `ConfigError` naming field, value and way out for the first thing that is wrong.
        """
        tree, variables = self._files_and_variables()
        if overrides is None:
            path = overrides_path(merge(tree, variables))
            overrides = read_toml(path) if path.is_file() else {}
        try:
            config = AresConfig.model_validate(merge(merge(tree, overrides), variables))
        except ValidationError as error:
            raise explain(error.errors()[0]) from None
        config = self.secrets.resolved(config)
        refuse_default_passwords(config)
        refuse_plain_text(config)
        refuse_half_a_transport(config)
        refuse_shared_protection(config)
        refuse_makers_of_contracts(config)
        refuse_impossible_feed(config)
        refuse_backups_without_password(config)
        return _placed(config)

    def overrides(self) -> Path:
        """The file of settings changed on this machine. Raises `ConfigError`."""
        return overrides_path(merge(*self._files_and_variables()))

    def _files_and_variables(self) -> tuple[Tree, Tree]:
        tree: Tree = {}
        for layer in self._layers():
            tree = merge(tree, read_toml(layer))
        return merge(tree, {"environment": {"profile": self.profile}}), environment_tree(self.environ)

    def files(self, config: AresConfig) -> list[Path]:
        """Every file whose change may change the settings, absolute; the last one, of overrides, need not exist."""
        return [layer.absolute() for layer in self._layers()] + [config.environment.state_dir / OVERRIDES]

    def _layers(self) -> list[Path]:
        layers = [self.directory / "default.toml", self.directory / f"{self.profile}.toml"]
        return layers if self.file is None else [*layers, self.file]


def load_config(
    profile: str | None = None,
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> AresConfig:
    """Read all layers and validate them whole; see `ConfigSource`. Raises `ConfigError`."""
    return ConfigSource.of(profile, file, environ, directory).load()


def _placed(config: AresConfig) -> AresConfig:
    """With a state directory that means the same to every process, wherever it works."""
    state_dir = config.environment.state_dir.resolve()
    environment = config.environment.model_copy(update={"state_dir": state_dir})
    return config.model_copy(update={"environment": environment})


def overrides_path(tree: Tree) -> Path:
    """The file in the state directory that `ares config set` writes; it cannot say where the state directory is."""
    environment = tree.get("environment")
    state_dir = environment.get("state_dir") if isinstance(environment, dict) else None
    default = AresConfig.model_fields["environment"].default.state_dir
    return (Path(state_dir) if isinstance(state_dir, str) else default).resolve() / OVERRIDES


def refuse_default_passwords(config: AresConfig) -> None:
    """QuestDB's well-known passwords are for a laptop. Raises `ConfigError` outside dev."""
    if config.environment.profile == "dev":
        return
    for name in ("password", "readonly_password"):
        secret: SecretStr = getattr(config.database, name)
        if secret.get_secret_value() == DEFAULT_PASSWORD:
            way_out = f"Set {PREFIX}DATABASE__{name.upper()}"
            raise ConfigError(f"database.{name}", HIDDEN, "the default password is for dev only", way_out)


def refuse_backups_without_password(config: AresConfig) -> None:
    """A key beside the data is lost with the data. Raises `ConfigError` outside dev."""
    backup = config.backup
    if config.environment.profile != "dev" and backup.repository is not None and backup.password is None:
        way_out = f"Set {PREFIX}BACKUP__PASSWORD to a reference, and keep a copy of it on paper elsewhere"
        raise ConfigError("backup.password", None, "a key made beside the data would be lost with it", way_out)


def refuse_half_a_transport(config: AresConfig) -> None:
    """Ticks over Kafka need brokers, and a database that they lead to. Raises `ConfigError`."""
    ingest, servers = config.ingest, config.kafka.servers
    if ingest.transport == "kafka" and servers is None:
        raise ConfigError("kafka.servers", servers, "ingest.transport is 'kafka'", f"Set {PREFIX}KAFKA__SERVERS")
    known = [PRIMARY, *(replica.name for replica in config.database.replicas)]
    if ingest.sink_database not in known:
        way_out = f"Known: {', '.join(known)}. Others are declared in database.replicas"
        raise ConfigError("ingest.sink_database", ingest.sink_database, "no such database", way_out)


def refuse_shared_protection(config: AresConfig) -> None:
    """A venue of contracts keeps one position of all strategies, so that a stop of one would close another's.

    Raises `ConfigError` where a protected strategy shares a contract there, or asks for what such a venue does not do.
    """
    trading = config.trading
    if not _trades_contracts(config):
        return
    for strategy in trading.strategies:
        protection = strategy.protection or trading.protection
        said = protection.said()
        if said is None:
            continue
        name = f"trading.strategies.{strategy.name}.protection" if strategy.protection else "trading.protection"
        symbols = set(strategy.symbols or config.ingest.symbols)
        for other in trading.strategies:
            shared = sorted(symbols & set(other.symbols or config.ingest.symbols))
            if other is not strategy and shared:
                problem = (
                    f"{strategy.name} and {other.name} both trade {shared[0]}, and venue {trading.venue} keeps one "
                    "position of both, which a stop of one would close"
                )
                way_out = "Give each contract to one strategy (trading.strategies[].symbols), or set it to 0"
                raise ConfigError(name, said, problem, way_out)
        _refuse_unplayable(name, protection, trading.venue)


def _trades_contracts(config: AresConfig) -> bool:
    venue = config.venues.get(config.trading.venue)
    return venue is not None and venue.protocol == "binanceusdm"


def _refuse_unplayable(name: str, protection: ProtectionConfig, venue: str) -> None:
    """What a venue of contracts follows by, and where no price is left to wait for. Raises `ConfigError`."""
    trailing, profit = protection.trailing_pct, protection.take_profit_pct
    if trailing and (trailing > TRAILING_PCT_MAX or trailing % TRAILING_PCT_STEP):
        problem = f"venue {venue} follows contracts by 0.1 to {TRAILING_PCT_MAX} in steps of {TRAILING_PCT_STEP}"
        raise ConfigError(name, f"trailing_pct = {trailing:f}", problem, "Round it")
    if profit >= HUNDRED:
        problem = "a short would have to be bought back at 0 or less"
        raise ConfigError(name, f"take_profit_pct = {profit:f}", problem, "Set it below 100")


def refuse_makers_of_contracts(config: AresConfig) -> None:
    """Orders that never take are sent to venues of coins alone so far. Raises `ConfigError`."""
    trading = config.trading
    if not _trades_contracts(config):
        return
    asked = {"trading.execution.policy": trading.execution.policy}
    asked |= {
        f"trading.strategies.{s.name}.execution.policy": s.execution.policy for s in trading.strategies if s.execution
    }
    for field_name, policy in asked.items():
        if policy in ("post_only", "iceberg"):
            problem = f"venue {trading.venue} trades perpetuals, for which no order rests as a maker yet"
            raise ConfigError(field_name, policy, problem, "Set it to ioc or twap, or trade on a venue of coins")


def refuse_plain_text(config: AresConfig) -> None:
    """Passwords and orders do not cross a network in the clear. Raises `ConfigError` outside dev."""
    if config.environment.profile == "dev":
        return
    database = config.database
    hosts = [database.host] if database.mode == "remote" else []
    for host in [*hosts, *(replica.host for replica in database.replicas)]:
        if database.tls != "off" or is_here(host):
            continue
        way_out = "Set database.tls = 'verified' and a TLS proxy beside QuestDB, or 'mesh' where a mesh encrypts"
        raise ConfigError(
            "database.tls", "off", f"{host} is another machine and would be reached in the clear", way_out
        )
    for server in (config.kafka.servers or "").split(","):
        broker = urlsplit(f"//{server.strip()}").hostname
        if broker and config.kafka.security == "plaintext" and not is_here(broker):
            way_out = "Set kafka.security = 'ssl' or 'sasl_ssl', or 'mesh' where a mesh encrypts"
            raise ConfigError("kafka.security", "plaintext", f"{broker} would be reached in the clear", way_out)
    _refuse_bare_control(config.trading)
    for name, given in (("control.url", config.control.url), ("backup.postgres_url", config.backup.postgres_url)):
        if given is not None:
            _refuse_undecided(name, given.get_secret_value())


def _refuse_bare_control(trading: TradingConfig) -> None:
    """Who reads the token of the trader's control port halts, orders and sets limits."""
    address = urlsplit(trading.control_url or "")
    asked = address.hostname if address.scheme == "http" else None
    for name, host in (("control_host", trading.control_host), ("control_url", asked)):
        if host and not is_here(host) and trading.control_tls == "off":
            problem = f"{host} is not this machine alone, and the token would cross the network in the clear"
            way_out = "Set trading.control_tls = 'mesh' where a mesh encrypts, or keep to this machine"
            raise ConfigError(f"trading.{name}", host, problem, way_out)


def _refuse_undecided(name: str, url: str) -> None:
    """A control store elsewhere says whether its line is encrypted: libpq's own default falls back in silence."""
    parts = urlsplit(url)
    said = parse_qs(parts.query)
    hosts = [parts.hostname or "", *",".join(said.get("host", []) + said.get("hostaddr", [])).split(",")]
    elsewhere = [host for host in hosts if host and not host.startswith("/") and not is_here(host)]
    if elsewhere and not SAID_MODES.intersection(said.get("sslmode", [])):
        way_out = "Write ?sslmode=verify-full, or ?sslmode=disable where a mesh encrypts"
        raise ConfigError(name, HIDDEN, f"does not say how {elsewhere[0]} is reached", way_out)


def config_dir() -> Path:
    """The folder with default.toml: `config/` of the working directory, else of the checkout."""
    here = Path.cwd() / "config"
    return here if (here / "default.toml").is_file() else Path(__file__).resolve().parents[2] / "config"


def read_toml(path: Path) -> Tree:
    """One file as a tree. Raises `ConfigError` if it is missing or is not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError("config file", str(path), "no such file", "Check the path or ARES_CONFIG") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError("config file", str(path), f"cannot be read ({error})", "Mend the file") from None


def merge(base: Tree, over: Tree) -> Tree:
    """`over` wins; tables are merged key by key, everything else is replaced whole."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def environment_tree(environ: Mapping[str, str]) -> Tree:
    """ARES_<SECTION>__<FIELD> variables as a tree. Raises `ConfigError` for one that names no section."""
    settings = {k: v for k, v in environ.items() if k.upper().startswith(PREFIX) and not _is_control(k)}
    sections = AresConfig.model_fields
    for name, value in settings.items():
        section = name[len(PREFIX) :].split("__")[0].lower()
        if section not in sections:
            near = get_close_matches(section, sections, n=1) or sorted(sections)
            shown = HIDDEN if any(word in name.lower() for word in SECRET_WORDS) else value
            raise ConfigError(name, shown, "no such section", f"Did you mean {PREFIX}{near[0].upper()}__…?")
    try:
        return _MappingSource(AresConfig, settings)()
    except SettingsError as error:
        field = str(error).split('"')[1]
        raise ConfigError(
            f"{PREFIX}{field.upper()}__…", "see below", f"not JSON ({error.__cause__})", 'Lists look like ["a", "b"]'
        ) from None


class _MappingSource(EnvSettingsSource):
    """pydantic-settings' own reading of nested variables, from a mapping instead of the process."""

    def __init__(self, model: type[BaseModel], variables: Mapping[str, str]) -> None:
        self._variables = {k.lower(): v for k, v in variables.items()}
        fields = {"__annotations__": {}, "model_config": _Environment.model_config}
        settings_cls = type("_Settings", (model, BaseSettings), fields)
        super().__init__(settings_cls, env_prefix=PREFIX, env_nested_delimiter="__", case_sensitive=False)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._variables


def _is_control(name: str) -> bool:
    upper = name.upper()
    return upper in CONTROL_VARIABLES or upper == "ARES_CI" or upper.startswith("ARES_TEST_")


def explain(error: ErrorDetails) -> ConfigError:
    """A pydantic error in our words: field path, value, way out."""
    path = [str(part) for part in error["loc"]]
    field = ".".join(path)
    value = HIDDEN if any(word in path[-1].lower() for word in SECRET_WORDS) else error["input"]
    if error["type"] == "extra_forbidden":
        known = _known_fields(path[:-1])
        near = get_close_matches(path[-1], known, n=1)
        way_out = f"Did you mean {near[0]}?" if near else f"Known here: {', '.join(sorted(known))}"
        return ConfigError(field, value, "no such setting", way_out)
    variable = PREFIX + "__".join(path).upper()
    return ConfigError(field, value, error["msg"].lower(), f"Change it in config/*.toml or set {variable}")


def _known_fields(path: list[str]) -> list[str]:
    model: type[BaseModel] = AresConfig
    for part in path:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
