"""What can be set, of what kind, within which bounds. One frozen class per component; units are in the names.

The files `config/default.toml` and `config/<profile>.toml` hold the values, `ARES_<SECTION>__<FIELD>` variables
override them, and a field that is required has no default here.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from ares.config.access import AccessConfig
from ares.config.alerting import AlertingConfig
from ares.config.analysts import AnalystsConfig
from ares.config.api import ApiConfig
from ares.config.backup import BackupConfig
from ares.config.datasets import DatasetsConfig
from ares.config.drift import DriftConfig
from ares.config.errands import ErrandsConfig
from ares.config.features import FeaturesConfig
from ares.config.influx import InfluxConfig
from ares.config.lake import LakeConfig
from ares.config.lineage import LineageConfig
from ares.config.notifications import NotificationsConfig
from ares.config.parity import ParityConfig
from ares.config.quality import QualityConfig
from ares.config.replicas import ReplicaConfig, require_distinct
from ares.config.section import Count, Port, Reloadable, Seconds, Section, Share, require_order
from ares.config.trading import TradingConfig
from ares.config.training import ModelsConfig, TrainingConfig
from ares.config.venues import AnnouncedConfig, SpokenConfig

DEFAULT_PASSWORD = "quest"  # noqa: S105 - QuestDB's own, refused outside dev


class EnvironmentConfig(Section):
    """Where this Ares runs and where it keeps its state."""

    profile: Literal["dev", "staging", "prod"] = "dev"
    state_dir: Path = Path("var")
    log_level: Reloadable[Literal["debug", "info", "warning", "error"]] = "info"
    stop_s_max: Reloadable[Seconds] = Field(20.0, description="deadline for draining on SIGTERM, seconds")
    restart_backoff_s_min: Reloadable[Seconds] = 0.5
    restart_backoff_s_max: Reloadable[Seconds] = 30.0
    restarts_per_hour_max: Reloadable[Count] = Field(60, description="after that many restarts a service is given up")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        require_order(self.restart_backoff_s_min, self.restart_backoff_s_max, "restart_backoff_s_min, _max")
        return self


class DatabaseConfig(Section):
    """The QuestDB that everything meets in. `embedded` starts one from its Maven artifact, `remote` uses yours."""

    mode: Literal["embedded", "remote"] = "embedded"
    host: str = "127.0.0.1"
    http_port: Port = 9000
    pg_port: Port = 8812
    health_port: Port = 9003
    tls: Literal["off", "verified", "mesh"] = Field(
        "off", description="verified: TLS, the server proves its name; mesh: plain here, for a mesh encrypts"
    )
    tls_ca_file: Path | None = Field(None, description="who vouches for the server; unset: whom the system trusts")
    user: str = "admin"
    password: SecretStr = SecretStr(DEFAULT_PASSWORD)
    readonly_user: str = "user"
    readonly_password: SecretStr = SecretStr(DEFAULT_PASSWORD)
    questdb_version: str = "9.3.4"
    heap_mb: Count = 768
    commit_mode: Literal["sync", "nosync"] = Field("sync", description="sync survives a power cut")
    server_log: Literal["quiet", "info"] = Field(
        "quiet", description="info: every statement, commit and merge of an embedded server, at a tenth of its speed"
    )
    pg_workers: Annotated[int, Field(ge=2)] = Field(
        8,
        description="of an embedded server: so many statements run at once; writes and HTTP have workers of their own",
    )
    structure_mb_max: Annotated[int, Field(ge=16)] = Field(
        512, description="of an embedded server: a sort, window or join that needs more is refused"
    )
    pool_size_max: Count = 4
    connect_s_max: Seconds = Field(10.0, description="one that answers nobody is tried for so long at a start")
    statement_s_max: Seconds = 60.0
    slow_statement_s: Seconds = Field(1.0, description="a statement that takes longer is logged")
    ready_s_max: Seconds = 90.0
    write_timeout_s: Seconds = 15.0
    retention_trades_days: Annotated[int, Field(ge=0)] = Field(
        0, description="trades that arrive when they are older go to trades_archive; 0: trades keeps all"
    )
    replicas: tuple[ReplicaConfig, ...] = Field((), description="market data to read from instead of this one")
    replica_lag_s_max: Seconds = Field(5.0, description="a replica that is further behind is not read")

    @model_validator(mode="after")
    def _in_the_clear_only_at_home(self) -> Self:
        require_distinct(self.replicas)
        if self.mode == "embedded" and self.tls != "off":
            raise ValueError(f"tls = {self.tls!r} is for mode 'remote': an embedded QuestDB is reached over loopback")
        return self


class TlsConfig(Section):
    """A TLS proxy in front of this machine's QuestDB, which speaks none itself. It runs where `cert_file` is set."""

    cert_file: Path | None = Field(None, description="certificate and those between it and its authority, PEM")
    key_file: Path | None = Field(None, description="its private key, PEM; nobody else may read it")
    host: str = Field("127.0.0.1", description="0.0.0.0 lets other machines in")
    http_port: Port = 9443
    pg_port: Port = 8843
    health_port: Port = 9444
    program: str = Field("stunnel", description="of Debian's package stunnel4, or a path to it")
    watch_s: Seconds = Field(5.0, description="the files are looked at this often, if nothing tells sooner")

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together: set both or none")
        return self


class ControlConfig(Section):
    """The transactional store that decides (order journal, leases, sequences, outbox)."""

    url: SecretStr | None = Field(None, description="SQLAlchemy URL; unset: SQLite in the state directory")
    mirror_batch_rows_max: Count = 2_000
    mirror_poll_s: Seconds = 0.1


class KafkaConfig(Section):
    """Carries events to subscribers on other machines, in order (unset: they read the control store), and ticks."""

    servers: str | None = Field(None, description="host:port, and more after commas")
    events_topic: str = "ares.events"
    ticks_topic: str = Field("ares.ticks", description="of ingest.transport = 'kafka'")
    ticks_partitions: Count = Field(12, description="of the topic, if it is ours to create; a symbol stays in one")
    ticks_retention_hours: Seconds = Field(72.0, description="so long a database may be away and miss nothing")
    replicas: Count = Field(1, description="of a topic, if it is ours to create; 3 in production")
    security: Literal["plaintext", "ssl", "sasl_ssl", "mesh"] = Field(
        "plaintext", description="mesh: plain here, for a mesh encrypts"
    )
    ca_file: Path | None = Field(None, description="who vouches for the brokers; unset: whom the system trusts")
    user: str | None = Field(None, description="for sasl_ssl, SCRAM-SHA-512")
    password: SecretStr | None = None
    timeout_s: Seconds = 10.0

    @model_validator(mode="after")
    def _known_to_the_brokers(self) -> Self:
        if (self.security == "sasl_ssl") != (self.user is not None and self.password is not None):
            raise ValueError("security = 'sasl_ssl', user and password belong together")
        return self


class VenueConfig(SpokenConfig, AnnouncedConfig):
    """A venue we talk to. `protocol` names its dialect and ccxt's class; URLs unset: the venue's own."""

    feed: Literal["native", "ccxt"] = Field("native", description="whose sockets and decoders collect the live data")
    rest_url: str | None = None
    ws_url: str | None = None
    api_key: Reloadable[SecretStr | None] = None
    api_secret: Reloadable[SecretStr | None] = None
    request_timeout_s: Seconds = 5.0
    ping_s: Seconds = 10.0
    connects_per_minute_max: Count = Field(50, description="connections opened in any minute, all channels together")
    recycle_hours: Annotated[float, Field(ge=0)] | None = Field(
        None, description="a connection this old is replaced while it runs; 0: never; unset: by protocol (binance 23)"
    )
    backfill_requests_per_minute_max: Count = Field(
        300, description="questions of `ares ingest backfill` and `heal`, beside those of the service"
    )


class IngestConfig(Section):
    """What is collected and how much is held while it cannot be written."""

    venue: str = "sim"
    symbols: tuple[str, ...] = ("BTC/USDT", "ETH/USDT")
    transport: Literal["direct", "kafka"] = Field(
        "direct", description="kafka: to the topic of ticks, from where the service ingest-sink writes them"
    )
    sink_database: str = Field("primary", description="which database ingest-sink writes to; else a replica's name")
    sink_group: str | None = Field(None, description="another consumer group for it, to read all there is anew")
    book_levels: Count = 20
    book_s_min: Reloadable[Seconds] = Field(0.25, description="a book of one symbol is written at most this often")
    queue_rows_max: Count = 200_000
    spool_mb_max: Annotated[int, Field(ge=0)] = Field(
        1024, description="on disk, what the queue cannot hold while the store is away; 0: none"
    )
    spool_sync_s: Seconds = Field(1.0, description="so much of the spool a power cut may cost")
    batch_rows_max: Reloadable[Count] = 100_000
    batch_s_max: Reloadable[Seconds] = Field(
        0.1, description="a batch waits an eighth of a write's time, and never longer"
    )
    silence_s_max: Reloadable[Seconds] = Field(30.0, description="a stream without a frame for longer is reconnected")
    backoff_s_min: Seconds = 0.5
    backoff_s_max: Seconds = 30.0
    backfill_trades_hours: Annotated[float, Field(ge=0)] = 6.0
    backfill_bars_hours: Annotated[float, Field(ge=0)] = 72.0
    backfill_funding_hours: Annotated[float, Field(ge=0)] = Field(720.0, description="settled rates of perpetuals")
    funding_s_min: Reloadable[Seconds] = Field(
        1.0, description="a funding rate that changes is written at most this often"
    )
    funding_s_max: Reloadable[Seconds] = Field(60.0, description="one that does not is written again after this time")
    watermark_s: Reloadable[Seconds] = 0.5
    price_jump_max: Reloadable[Annotated[float, Field(gt=1)]] = Field(
        10.0, description="ratio to the last price that is refused"
    )
    event_ahead_s_max: Reloadable[Seconds] = Field(60.0, description="an event later than our clock by more is refused")
    capture: bool = Field(default=False, description="keep raw frames under <state_dir>/capture, to be replayed")
    capture_mb_max: Annotated[int, Field(ge=16)] = Field(10_240, description="of a venue; the oldest segments go")
    capture_days_max: Seconds = Field(7.0, description="segments older than this go")
    capture_disk_free_mb_min: Annotated[int, Field(ge=0)] = Field(
        2_048, description="with less room on its disk capturing pauses, collecting goes on"
    )
    capture_segment_mb_max: Count = Field(
        64, description="a larger segment is ended, and a sixteenth of capture_mb_max"
    )
    capture_segment_minutes_max: Seconds = Field(60.0, description="an older segment is ended, and at midnight UTC")
    capture_flush_s: Seconds = Field(1.0, description="so much of a capture the death of the process may cost")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        require_order(self.backoff_s_min, self.backoff_s_max, "backoff_s_min, _max")
        require_order(self.funding_s_min, self.funding_s_max, "funding_s_min, _max")
        return self


class AnalyticsConfig(Section):
    """How bars freeze and signals come about."""

    lateness_s_max: Annotated[float, Field(ge=0)] = Field(1.0, description="how long after its close a bar may change")
    poll_s: Reloadable[Seconds] = 0.2
    catch_up_bars_max: Reloadable[Count] = Field(4_320, description="bars of history frozen per pass and symbol")
    predict_port: Port = Field(
        0, description="of POST /predict on loopback; 0: any, told in <state_dir>/run/predict.address"
    )


class PerpetualsConfig(Section):
    """The exchange's perpetuals: class `binanceusdm`, under /fapi on the same port."""

    enabled: bool = False
    recordings: tuple[Path, ...] = ()
    wallet: Decimal = Field(default=Decimal("20000"), ge=0)
    maker_fee: Decimal = Decimal("0.0002")
    taker_fee: Decimal = Decimal("0.0005")
    funding_rate: Decimal = Field(default=Decimal("0.0001"), ge=-1, le=1)
    funding_s: float = Field(default=28_800.0, ge=1)


class SimulatorConfig(Section):
    """The exchange that replays recordings or, with `feed`, lets orders meet a venue's market of now: paper trading."""

    host: str = "127.0.0.1"
    port: Port = 8900
    feed: str | None = Field(
        None, description="a venue of [venues] whose public stream is the market, for ingest.symbols; unset: recordings"
    )
    feed_silence_s_max: Seconds = Field(5.0, description="a book that nothing was heard of for longer takes no orders")
    feed_backoff_s_min: Seconds = 0.5
    feed_backoff_s_max: Seconds = 30.0
    recordings: tuple[Path, ...] = ()
    seed: int = 1
    maker_fee: Decimal = Decimal("0.001")
    taker_fee: Decimal = Decimal("0.001")
    balances: dict[str, Decimal] = Field(
        default_factory=lambda: {"USDT": Decimal("20000"), "BTC": Decimal("0.05"), "ETH": Decimal("0.5")}
    )
    api_key: SecretStr | None = None
    api_secret: SecretStr | None = None
    perpetuals: PerpetualsConfig = PerpetualsConfig()

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        require_order(self.feed_backoff_s_min, self.feed_backoff_s_max, "feed_backoff_s_min, _max")
        return self


class MonitoringConfig(Section):
    """Health, metrics and logs of every service. Ports count up from `port_base` in the order of start."""

    host: str = "127.0.0.1"
    port_base: Port = 9100
    heartbeat_s: Reloadable[Seconds] = 5.0
    json_logs: bool = True
    log_mb_max: Reloadable[Count] = Field(64, description="a log file that is larger is packed away")
    log_files_max: Reloadable[Count] = Field(5, description="packed log files kept of each")
    log_rows: bool = Field(default=True, description="lines of logs are rows of the table logs, too")
    log_queue_rows_max: Count = Field(4_096, description="lines that wait to be written there; more are dropped")
    trace_share: Share = Field(0.1, description="of the minutes of an instrument whose traces are recorded; 0: none")
    trace_queue_spans_max: Count = Field(2_048, description="spans that wait to be written; more are dropped")
    otlp_url: str | None = Field(
        None, description="a collector's …/v1/traces; unset: spans are rows of the table spans"
    )
    otlp_timeout_s: Seconds = 5.0


class SecretsConfig(Section):
    """Where secrets come from that settings only refer to: `env:NAME`, `file:/path`, `vault:path#key`."""

    vault_url: str | None = Field(None, description="https://…; plain http only to this machine")
    vault_namespace: str | None = None
    vault_mount: str = Field("secret", description="of the KV engine, version 2")
    vault_transit_mount: str = "transit"
    vault_auth: Literal["token", "approle", "kubernetes"] = "approle"
    vault_auth_mount: str | None = Field(None, description="unset: as the method is called")
    vault_token: SecretStr | None = Field(None, description="for the method token; a reference to env or file")
    vault_role: str = Field("ares", description="the role of the method kubernetes")
    vault_role_id: str | None = Field(None, description="for the method approle")
    vault_secret_id: SecretStr | None = Field(None, description="for the method approle; a reference to env or file")
    vault_jwt_file: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
    vault_ca_file: Path | None = None
    vault_timeout_s: Seconds = 3.0
    refresh_s: Reloadable[Seconds] = Field(60.0, description="services look for rotated secrets this often")


class AuditConfig(Section):
    """The audit chain's signed heads and where they are copied."""

    witness_dir: Path | None = Field(None, description="belongs on another machine; unset: <state_dir>/witness")
    key_file: Path | None = Field(None, description="unset: <state_dir>/audit.key")
    vault_key: str | None = Field(None, description="sign by this Ed25519 key of Vault's transit engine instead")
    head_s: Seconds = Field(60.0, description="heads are signed and copied this often")


class ResourceLimits(Section):
    """What one service may use. Unset: as much as the machine gives."""

    memory_mb_max: Count | None = Field(None, description="resident; above it the service ends in order and comes back")
    open_files_max: Count | None = Field(None, description="file descriptors and sockets")
    cpus: tuple[Annotated[int, Field(ge=0)], ...] = Field((), description="run only on these processors (Linux)")
    nice: Annotated[int, Field(ge=0, le=19)] = Field(0, description="how far to stand back when processors are short")


class ResourcesConfig(Section):
    """Limits by service, and when growing memory counts as a leak."""

    limits: dict[str, ResourceLimits] = Field(default_factory=dict)
    gc_young_objects_max: Count = Field(
        10_000, description="so many new objects, and Python's collector looks for garbage among them"
    )
    leak_window_hours: Seconds = 6.0
    leak_mb_per_hour_max: Annotated[float, Field(gt=0)] = Field(20.0, description="growth that is reported")
    leak_cron: str = "7 * * * *"


class AresConfig(Section):
    """All settings of Ares."""

    environment: EnvironmentConfig = EnvironmentConfig()
    database: DatabaseConfig = DatabaseConfig()
    control: ControlConfig = ControlConfig()
    venues: dict[str, VenueConfig] = Field(default_factory=dict)
    ingest: IngestConfig = IngestConfig()
    quality: QualityConfig = QualityConfig()
    analytics: AnalyticsConfig = AnalyticsConfig()
    analysts: AnalystsConfig = AnalystsConfig()
    training: TrainingConfig = TrainingConfig()
    models: ModelsConfig = ModelsConfig()
    drift: DriftConfig = DriftConfig()
    trading: TradingConfig = TradingConfig()
    simulator: SimulatorConfig = SimulatorConfig()
    monitoring: MonitoringConfig = MonitoringConfig()
    alerting: AlertingConfig = AlertingConfig()
    resources: ResourcesConfig = ResourcesConfig()
    access: AccessConfig = AccessConfig()
    api: ApiConfig = ApiConfig()
    errands: ErrandsConfig = ErrandsConfig()
    notifications: NotificationsConfig = NotificationsConfig()
    audit: AuditConfig = AuditConfig()
    secrets: SecretsConfig = SecretsConfig()
    tls: TlsConfig = TlsConfig()
    kafka: KafkaConfig = KafkaConfig()
    influx: InfluxConfig = InfluxConfig()
    backup: BackupConfig = BackupConfig()
    lake: LakeConfig = LakeConfig()
    lineage: LineageConfig = LineageConfig()
    datasets: DatasetsConfig = DatasetsConfig()
    features: FeaturesConfig = FeaturesConfig()
    parity: ParityConfig = ParityConfig()

    @model_validator(mode="after")
    def _room_beside_analysts(self) -> Self:
        if self.database.mode == "embedded" and self.analysts.statements_max >= self.database.pg_workers:
            raise ValueError(
                f"analysts.statements_max = {self.analysts.statements_max} leaves the trader no worker of "
                f"database.pg_workers = {self.database.pg_workers}. Raise the latter, or lower the former"
            )
        return self
