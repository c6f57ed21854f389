"""Every metric of Ares, declared once. Names: ares_<noun>_<unit>; labels are the words of the rows."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

LATENCY_BUCKETS_S = (
    *(0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3),
    *(0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 30.0, 60.0),
)

# The kernel
MIRRORED_ROWS = Counter("ares_mirrored_rows_total", "Outbox rows that QuestDB acknowledged")
MIRROR_REFUSED_ROWS = Counter("ares_mirror_refused_rows_total", "Outbox rows that QuestDB refuses for good")
EVENTS = Counter("ares_events_total", "Events that were appended to the log", ["category", "type"])
EVENTS_DELIVERED = Counter("ares_events_delivered_total", "Events that a handler took", ["subscription"])
SECOND_COPY_AWAY = Gauge("ares_second_copy_away", "1 while what is committed does not reach the second copy")
OUTBOX_KEPT = Gauge("ares_outbox_kept_rows", "Rows that QuestDB has, kept until backups cover them")
DEAD_LETTERS = Counter("ares_dead_letters_total", "Events that a handler could not take", ["subscription"])
EXTERNAL_CALLS = Counter("ares_external_calls_total", "Calls that left the process", ["guard", "operation", "outcome"])
EXTERNAL_CALL_SECONDS = Histogram(
    "ares_external_call_seconds", "Duration of calls that left the process", ["guard", "operation"],
    buckets=LATENCY_BUCKETS_S,
)  # fmt: skip
BREAKER_STATE = Gauge("ares_breaker_state", "1 for the state of a circuit breaker that holds", ["guard", "state"])
BREAKER_PROBE_SECONDS = Gauge("ares_breaker_probe_seconds", "Until a call may probe a party that failed", ["guard"])
VENUE_RATE_USED = Gauge("ares_venue_rate_used", "Used of what a venue allows", ["venue", "kind", "interval_s"])
VENUE_RATE_LIMIT = Gauge("ares_venue_rate_limit", "What a venue allows", ["venue", "kind", "interval_s"])
VENUE_RATE_WAITS = Counter("ares_venue_rate_waits_total", "Looks that waited for what a venue allows", ["venue"])
VENUE_HELD_SECONDS = Gauge("ares_venue_held_seconds", "For how long a venue wants no call", ["venue"])
VENUE_MAINTENANCE = Gauge("ares_venue_maintenance", "1 while a venue says that it is being worked on", ["venue"])
CACHE_REQUESTS = Counter("ares_cache_requests_total", "Values that were asked of a cache", ["cache", "outcome"])
CACHE_AGE_SECONDS = Histogram(
    "ares_cache_age_seconds", "Age of the values that a cache gave", ["cache"], buckets=LATENCY_BUCKETS_S
)
CONFIG_RELOADS = Counter("ares_config_reloads_total", "Wishes to reload the settings", ["outcome"])
CONFIG_VALID = Gauge("ares_config_valid", "0 while the files say something impossible, so that old settings hold")
CONFIG_WAITS_FOR_RESTART = Gauge("ares_config_waits_for_restart", "Changed settings that need a restart")
MAINTENANCE = Gauge("ares_maintenance", "1 while a maintenance window is open")
SECRETS_STALE = Gauge("ares_secrets_stale", "1 while secrets cannot be looked up again, so that old ones are used")
TLS_CERTIFICATE_EXPIRY = Gauge(
    "ares_tls_certificate_expiry_timestamp_seconds", "When the certificate expires that the TLS proxy serves"
)
TRACKED_SECONDS = Histogram(
    "ares_tracked_seconds", "Duration of tracked pieces of work", ["name", "outcome"], buckets=LATENCY_BUCKETS_S
)
LOG_ROWS = Counter("ares_log_rows_total", "Lines of the log handed to the table of logs", ["outcome"])
SPANS = Counter("ares_spans_total", "Finished spans handed to where they go", ["outcome"])
STATEMENT_SECONDS = Histogram(
    "ares_statement_seconds", "Statements sent to QuestDB, waiting for a connection included", buckets=LATENCY_BUCKETS_S
)
SLOW_STATEMENTS = Counter("ares_slow_statements_total", "Statements that took longer than database.slow_statement_s")
ANALYST_STATEMENTS = Gauge("ares_analyst_statements", "Statements that run now and that Ares did not send")
ANALYST_MEMORY_MB = Gauge("ares_statement_memory_mb", "What sorts, groups and joins of all statements hold, MiB")
ANALYST_CANCELLED = Counter("ares_analyst_statements_cancelled_total", "Statements that were cancelled", ["cause"])
PARITY_DIFFERENCES = Gauge("ares_parity_differences", "Decisions of a day that a replay does not come to", ["cause"])
READS = Counter("ares_market_reads_total", "Reads of market data by the database that answered", ["database"])
READ_SWITCHES = Counter("ares_market_read_switches_total", "Changes of the database that is read", ["database"])
DATABASE_BROKEN = Gauge(
    "ares_database_broken", "Tables that QuestDB applies nothing to (suspended), views that it left (invalid)", ["kind"]
)
DATABASE_WAL_LAG = Gauge(
    "ares_database_wal_lag_transactions", "Commits that QuestDB acknowledged and has not applied, of the worst table"
)
REPLICA_LAG_SECONDS = Gauge("ares_replica_lag_seconds", "How far a replica is behind now; NaN: not known", ["database"])
POOL_CONNECTIONS = Gauge("ares_pool_connections", "Connections to QuestDB that are open")
POOL_WAITING = Gauge("ares_pool_waiting", "Statements that wait for a connection to QuestDB")
DISK_FREE = Gauge("ares_disk_free_bytes", "Room on the disk of the state directory")
DISK_SIZE = Gauge("ares_disk_size_bytes", "Size of the disk of the state directory")
CLOCK_SYNCHRONISED = Gauge("ares_clock_synchronised", "0 while nobody keeps the kernel's clock right; NaN: not known")
RESIDENT_MB = Gauge("ares_resident_mb", "Resident memory of this process, MiB")
GC_PAUSE_SECONDS = Histogram(
    "ares_gc_pause_seconds", "How long Python's collector stopped the process", ["generation"],
    buckets=LATENCY_BUCKETS_S,
)  # fmt: skip
AUDIT_WITNESS_FAILED = Gauge("ares_audit_witness_failed", "1 while signed heads of the audit chain cannot be copied")
JOB_RUNS = Counter("ares_job_runs_total", "Runs of scheduled jobs", ["job", "status"])

# Ingest
INGEST_ROWS = Counter("ares_ingest_rows_total", "Rows that QuestDB acknowledged", ["table"])
INGEST_QUEUE_ROWS = Gauge("ares_ingest_queue_rows", "Rows that are not acknowledged yet", ["lane"])
INGEST_SPOOL_BYTES = Gauge("ares_ingest_spool_bytes", "On disk, to be written to the store")
INGEST_SPOOL_FULL = Gauge("ares_ingest_spool_full", "1 while the spool takes nothing more")
INGEST_CAPTURE_FRAMES = Counter("ares_ingest_capture_frames_total", "Raw messages captured", ["channel"])
INGEST_CAPTURE_LOST = Counter("ares_ingest_capture_lost_total", "Raw messages not captured", ["channel", "cause"])
INGEST_CAPTURE_BYTES = Counter("ares_ingest_capture_bytes_total", "Written to captures, packed")
INGEST_CAPTURE_KEPT_BYTES = Gauge("ares_ingest_capture_kept_bytes", "Captures on disk")
INGEST_CAPTURE_PAUSED = Gauge("ares_ingest_capture_paused", "1 while the disk takes no capture")
INGEST_SHED = Counter("ares_ingest_shed_total", "Quotes and books dropped for want of room", ["channel"])
INGEST_WRITE_FAILURES = Counter("ares_ingest_write_failures_total", "Batches to be repeated", ["lane", "cause"])
INGEST_QUARANTINED = Counter("ares_ingest_quarantined_total", "Frames and rows refused", ["channel", "field"])
INGEST_DUPLICATES = Counter("ares_ingest_duplicates_total", "Events that had been seen before", ["channel", "symbol"])
INGEST_GAPS = Counter("ares_ingest_gaps_total", "Revisions of gaps", ["channel", "status", "cause"])
INGEST_STALLS = Counter("ares_ingest_stalls_total", "Open streams that kept something back", ["channel", "symbol"])
INGEST_FRESHNESS = Gauge("ares_ingest_freshness_seconds", "Since something came, while live", ["channel", "symbol"])
INGEST_FRESHNESS_LIMIT = Gauge("ares_ingest_freshness_limit_seconds", "What is unusual", ["channel", "symbol"])
INGEST_CONNECTS = Counter("ares_ingest_connects_total", "Attempts to open a stream", ["channel", "outcome"])
INGEST_RECYCLES = Counter("ares_ingest_recycles_total", "Attempts to replace a stream", ["channel", "outcome"])
INGEST_LAST_EVENT = Gauge("ares_ingest_last_event_timestamp_seconds", "Event time of the newest", ["channel", "symbol"])
INGEST_WATERMARK = Gauge("ares_ingest_watermark_timestamp_seconds", "All up to here is acknowledged", ["symbol"])
SINK_PARTITIONS = Gauge("ares_sink_partitions", "Partitions of the topic of ticks that this sink worker has")
SINK_PAUSED = Gauge("ares_sink_paused", "1 while a sink worker reads nothing because its database does not keep up")
SINK_LAG_MESSAGES = Gauge("ares_sink_lag_messages", "Messages that are not in the database yet", ["partition"])
SINK_LAG_SECONDS = Gauge("ares_sink_lag_seconds", "At most so old is what is not in the database", ["partition"])
SINK_MISSED = Counter("ares_sink_missed_messages_total", "Messages that were gone before they were read")
QUALITY_CHECKS = Gauge("ares_quality_checks", "Results of the last run of the data checks", ["check", "grade"])
INFLUX_ROWS = Counter("ares_influx_rows_total", "Rows that the InfluxDB acknowledged, repetitions too", ["table"])
INFLUX_REFUSED = Counter("ares_influx_refused_total", "Rows that the InfluxDB will never take", ["table"])
INFLUX_FAILURES = Counter("ares_influx_failures_total", "Times that sending had to wait", ["cause"])
INFLUX_WAITING_ROWS = Gauge("ares_influx_waiting_rows", "Rows found that the InfluxDB does not have", ["table"])
INFLUX_COPIED_UNTIL = Gauge(
    "ares_influx_copied_until_timestamp_seconds", "All rows up to here that were there are in the InfluxDB", ["table"]
)
VENUE_TO_ROW_SECONDS = Histogram(
    "ares_venue_to_row_seconds", "From event time to acknowledgement by QuestDB, of each batch's oldest streamed trade",
    buckets=LATENCY_BUCKETS_S,
)  # fmt: skip

# The trader
TRADER_CYCLES = Counter("ares_trader_cycles_total", "Trading cycles", ["outcome"])
TRADER_CYCLE_SECONDS = Histogram("ares_trader_cycle_seconds", "Duration of a trading cycle", buckets=LATENCY_BUCKETS_S)
TRADER_DECISIONS = Counter("ares_trader_decisions_total", "Decisions", ["strategy", "symbol", "action"])
TRADER_REFUSALS = Counter("ares_trader_refusals_total", "Orders that a rule refused", ["rule"])
TRADER_LIMIT_WARNINGS = Counter("ares_trader_limit_warnings_total", "Orders that passed a soft limit", ["rule"])
TRADER_LIMIT_SCALE = Gauge("ares_trader_limit_scale", "What limits on exposure are multiplied by", ["symbol"])
TRADER_ORDERS = Counter("ares_trader_orders_total", "Steps of orders by the state they led to", ["state"])
TRADER_ORDERS_OPEN = Gauge("ares_trader_orders_open", "Orders that are not settled", ["state"])
TRADER_FILLS = Counter("ares_trader_fills_total", "Fills booked", ["symbol", "side"])
TRADER_POSITION = Gauge("ares_trader_position", "Position in base currency", ["symbol", "strategy"])
TRADER_PNL = Gauge("ares_trader_pnl_quote", "Profit in quote currency", ["kind"])
TRADER_STATE = Gauge("ares_trader_state", "1 for the trading state that holds", ["state"])
STREAM_READERS = Gauge("ares_stream_readers", "Connections that follow channels over the door's WebSocket")
TRADER_LOOKED = Gauge(
    "ares_trader_looked_timestamp_seconds", "When somebody last asked the trader or ordered something"
)
TRADER_LEADER = Gauge("ares_trader_leader", "1 while this process holds the lease of its account")
TRADER_UNPROTECTED_SECONDS = Gauge(
    "ares_trader_unprotected_seconds", "How long a position has stood without its protection", ["symbol", "strategy"]
)
TRADER_PROTECTION_SECONDS = Histogram(
    "ares_trader_protection_seconds",
    "From a position's change until its protection stands",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
TRADER_PLANS = Counter("ares_trader_plans_total", "Plans that ended", ["policy", "reason"])
TRADER_SHORTFALL_BIPS = Histogram(
    "ares_trader_shortfall_bips",
    "What a plan paid more than the mark at its decision, in 1/10,000; without fees",
    ["policy"],
    buckets=(-50, -20, -10, -5, -2, -1, 0, 1, 2, 5, 10, 20, 50, 100),
)
TRADER_BALANCE_SHORT = Gauge("ares_trader_balance_short", "Coins the book has and the venue has not", ["currency"])
KEY_REFUSED = Gauge("ares_trader_key_refused", "1 while new keys were refused, so that old ones are used", ["venue"])
SIGNAL_TO_ORDER_SECONDS = Histogram(
    "ares_signal_to_order_seconds", "From a signal's knowledge time to its order's way out", buckets=LATENCY_BUCKETS_S
)

# The exchange of paper trading
FEED_CONNECTS = Counter("ares_feed_connects_total", "Connections to the venue whose market paper orders meet")
FEED_SNAPSHOTS = Counter("ares_feed_snapshots_total", "Books that were asked of that venue", ["symbol"])
FEED_OPEN = Gauge("ares_feed_open", "1 while a symbol's book is whole and of now, so that it takes orders", ["symbol"])
FEED_TRADES_MISSED = Counter("ares_feed_trades_missed_total", "Trades by id that never came", ["symbol"])
FEED_TRADES_LATE = Counter(
    "ares_feed_trades_late_total", "Trades that came so late that they filled nothing", ["symbol"]
)
FEED_TRADES_REPEATED = Counter(
    "ares_feed_trades_repeated_total", "Trades that came again and were left out", ["symbol"]
)

# Analytics
FROZEN_ROWS = Counter("ares_frozen_rows_total", "Rows appended to what decisions see", ["table", "known_at_kind"])
CORRECTIONS = Counter("ares_corrections_total", "Frozen rows whose truth changed later", ["table"])
FEATURE_CHECKS = Gauge("ares_feature_checks", "Results of the last run of the checks of features", ["grade"])
FREEZE_LAG_SECONDS = Histogram(
    "ares_freeze_lag_seconds", "From the moment a bar was due to its signals being acknowledged",
    buckets=LATENCY_BUCKETS_S,
)  # fmt: skip
ROW_TO_SIGNAL_SECONDS = Histogram(
    "ares_row_to_signal_seconds", "From the watermark that let a bar be frozen to its signals being acknowledged",
    buckets=LATENCY_BUCKETS_S,
)  # fmt: skip
FROZEN_UNTIL = Gauge("ares_frozen_until_timestamp_seconds", "Start of the newest frozen bar", ["symbol"])
PREDICTIONS = Counter("ares_predictions_total", "Scores of bars, challengers' too", ["model"])
SCORING_SECONDS = Histogram(
    "ares_scoring_seconds", "Duration of asking all versions in use about the bars of one pass",
    buckets=(1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2.5e-2, 0.1, 1),
)  # fmt: skip
PREDICT_REQUESTS = Counter("ares_predict_requests_total", "Questions to the model from outside", ["status"])
PREDICT_SECONDS = Histogram("ares_predict_seconds", "Duration of questions that got a score", buckets=LATENCY_BUCKETS_S)
MODEL_SWAPS = Counter("ares_model_swaps_total", "Times that other versions came into use", ["model"])
MODEL_REFUSED = Gauge("ares_model_refused", "Versions that should be in use and cannot be loaded", ["model"])
MODEL_AUC = Gauge("ares_model_auc", "Out-of-sample area under the ROC curve of the model in use", ["model"])
MODEL_DRIFT = Gauge(
    "ares_model_drift", "What the last run of drift saw of the champion; feature '': of the whole model",
    ["model", "metric", "feature"],
)  # fmt: skip
DRIFT_CHECKS = Gauge("ares_drift_checks", "Results of the last run of drift", ["model", "role", "grade"])
DRIFT_CHECKED = Gauge("ares_drift_checked_timestamp_seconds", "When drift was last looked at", ["model"])
MODEL_DEMOTION_DUE = Gauge(
    "ares_model_demotion_due", "1 while the champion has failed often enough and is still in use", ["model"]
)
TRAINING_RUNS = Counter("ares_training_runs_total", "Trainings", ["model", "status"])

# Backups
BACKUP_SUCCESS = Gauge("ares_backup_success_timestamp_seconds", "When the last one of this kind ended well", ["kind"])
BACKUP_COVERS_TO = Gauge(
    "ares_backup_covers_to_timestamp_seconds", "What was acknowledged before is in the last backup", ["kind"]
)
BACKUP_SECONDS = Gauge("ares_backup_duration_seconds", "Duration of the last one that ended well", ["kind"])
BACKUP_BYTES = Gauge("ares_backup_bytes", "Size of what the last backup copied", ["kind"])
BACKUP_ADDED_BYTES = Gauge("ares_backup_added_bytes", "What of it was new to the repository", ["kind"])
BACKUP_FAILED = Gauge("ares_backup_failed", "1 after one of this kind that failed, until one is well", ["kind"])
JOURNAL_SLOT_KEPT = Gauge("ares_journal_slot_kept_bytes", "WAL that Postgres keeps until the journal has it")
JOURNAL_SLOT_MAX = Gauge("ares_journal_slot_max_bytes", "WAL at which Postgres gives the journal up; -1: never")
JOURNAL_WAL = Gauge("ares_journal_wal_bytes", "WAL kept beside the service since the last base copy")
BACKUP_SOUND = Gauge("ares_backup_repository_sound", "0 after a check that found the repository broken", ["kind"])

# Alerting
ALERTS = Counter("ares_alerts_total", "Firings and ends of alerts that the receiver noted", ["alert", "status"])
ALERT_ACTIONS = Counter("ares_alert_actions_total", "What alerts asked of the trader", ["action", "outcome"])
ALERT_ACTION_SECONDS = Histogram(
    "ares_alert_action_seconds", "From a notification's arrival until the trader has done what it asks for",
    buckets=LATENCY_BUCKETS_S,
)  # fmt: skip
ALERT_PATH_SILENT = Gauge("ares_alert_path_silent", "1 while Alertmanager's message of being alive stays away")
ALERT_PATH_HEARD = Gauge("ares_alert_path_heard_timestamp_seconds", "When that message last came")

# Notifications
NOTIFICATIONS = Counter("ares_notifications_total", "Messages to people's targets", ["kind", "outcome"])
NOTIFICATION_LAG_SECONDS = Histogram(
    "ares_notification_lag_seconds", "From the moment that something happened to a target having its message",
    buckets=LATENCY_BUCKETS_S,
)  # fmt: skip
NOTIFICATION_TARGETS = Gauge("ares_notification_targets", "Targets of people who may come in", ["kind", "state"])
CHAT_COMMANDS = Counter("ares_chat_commands_total", "Commands that came from chats", ["command", "outcome"])
