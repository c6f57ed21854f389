"""All collections that can be read, in the order of the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from api.cells import columns
from api.resource import Resource
from ares.security.access.roles import Permission
from ares.store import load_queries

P = Permission
MARKET = load_queries("api", "queries/market.sql")
RESEARCH = load_queries("api", "queries/research.sql")
TRADING = load_queries("api", "queries/trading.sql")
OPERATIONS = load_queries("api", "queries/operations.sql")
ERRANDS = load_queries("api", "queries/errands.sql")

_OHLC = "open high low close volume cost buy_volume"
_ORDER = {
    "time": "ts signal_known_at",
    "text": "account venue symbol strategy event state side type time_in_force order_id venue_order_id cycle_id"
    " correlation_id reason list_id",
    "integer": "seq trailing_bips",
    "decimal": "quantity price filled_quantity filled_cost stop_price",
}


def _one(queries: Mapping[str, str], name: str) -> Mapping[str, str]:
    return {"": queries[name]}


OF_MARKET: Sequence[Resource] = (
    Resource(
        "instruments", "Instrument", "What each venue lists: steps, fees, contracts.", "instruments", P.READ_MARKET,
        columns(
            time="ts", text="venue symbol base quote venue_symbol contract", flag="active",
            decimal="price_tick amount_step cost_min maker_fee taker_fee contract_size",
        ),
        _one(MARKET, "instruments"), ("venue", "symbol"), timed=False,
    ),
    Resource(
        "trades", "Trade", "Public trades.", "trades", P.READ_MARKET,
        columns(time="ts received_at", text="venue symbol side source trade_id", integer="seq", number="price amount"),
        _one(MARKET, "trades"), ("venue", "symbol"), days=1,
    ),
    Resource(
        "quotes", "Quote", "Changes of best bid and ask.", "quotes", P.READ_MARKET,
        columns(
            time="ts received_at", text="venue symbol ts_source", integer="update_id",
            number="bid bid_amount ask ask_amount",
        ),
        _one(MARKET, "quotes"), ("venue", "symbol"), days=1,
    ),
    Resource(
        "bars", "Bar", "Bars as they are now; status tells a quiet minute from a gap.", "bars_1m", P.READ_MARKET,
        columns(time="ts", text="venue symbol status", number=_OHLC, integer="trades"),
        {each: MARKET[f"bars_{each}"] for each in ("1m", "5m", "1h", "1d")}, ("venue", "symbol"), "interval", days=1,
        days_max={"1m": 31},
    ),
    Resource(
        "funding", "Funding", "Funding rates of perpetual contracts.", "funding", P.READ_MARKET,
        columns(time="ts funding_at", text="venue symbol kind", number="rate mark_price index_price"),
        _one(MARKET, "funding"), ("venue", "symbol"), days=30,
    ),
    Resource(
        "gaps", "Gap", "What is missing, and how it was healed.", "gaps", P.READ_MARKET,
        columns(
            time="ts started_at ended_at", text="venue symbol channel status cause healed_by gap_id",
            integer="revision first_seq last_seq missing",
        ),
        _one(MARKET, "gaps"), ("venue", "symbol", "channel", "status"),
    ),
    Resource(
        "quality", "QualityCheck", "What checks of the data observed.", "quality_checks", P.READ_MARKET,
        columns(
            time="ts span_from span_to", text="check_name venue symbol channel grade unit detail",
            number="observed warn_limit fail_limit",
        ),
        _one(MARKET, "quality"), ("venue", "symbol", "channel", "grade"), days=7,
    ),
    Resource(
        "columns", "CatalogColumn", "What every column of the database is and in which unit.", "catalog_columns",
        P.READ_MARKET, columns(text="table_name column_name kind type unit meaning", integer="place"),
        _one(OPERATIONS, "columns"), ("table",), timed=False,
    ),
)  # fmt: skip

OF_RESEARCH: Sequence[Resource] = (
    Resource(
        "features", "FeatureValue", "Frozen values of features, of each the newest revision.", "feature_values",
        P.READ_RESEARCH,
        columns(
            time="ts known_at", text="venue symbol name known_at_kind input_hash", integer="version revision",
            number="value",
        ),
        _one(RESEARCH, "features"), ("venue", "symbol", "name"), days=1,
    ),
    Resource(
        "signals", "Signal", "What strategies want: targets between -1 and 1.", "signal_values", P.READ_RESEARCH,
        columns(
            time="ts known_at watermark", text="venue symbol strategy model_version known_at_kind input_hash",
            integer="version revision", number="target confidence",
        ),
        _one(RESEARCH, "signals"), ("venue", "symbol", "strategy"), days=1,
    ),
    Resource(
        "predictions", "Prediction", "Scores of models.", "predictions", P.READ_RESEARCH,
        columns(
            time="ts known_at", text="venue symbol model version known_at_kind role", number="score", flag="served"
        ),
        _one(RESEARCH, "predictions"), ("venue", "symbol", "model"), days=1,
    ),
    Resource(
        "models", "ModelEvent", "What happened to models: trained, validated, promoted, rolled back.", "model_events",
        P.READ_RESEARCH, columns(time="ts", text="model version event who reason run_id", integer="seq"),
        _one(RESEARCH, "models"), ("model",),
    ),
    Resource(
        "training-runs", "TrainingRun", "What was trained on what, and how good it was out of sample.", "training_runs",
        P.READ_RESEARCH,
        columns(
            time="ts train_from train_to", text="model version status run_id family dataset reason",
            integer="rows rows_test trades",
            number="auc log_loss brier ece base_rate net_share canary_auc overfit_share sharpe_deflated",
        ),
        _one(RESEARCH, "training_runs"), ("model",),
    ),
    Resource(
        "drift", "Drift", "How far inputs, scores and results of models moved.", "drift", P.READ_RESEARCH,
        columns(
            time="ts", text="venue model version role feature metric grade run_id", number="value warn fail window_s",
            integer="rows",
        ),
        _one(RESEARCH, "drift"), ("venue", "model", "grade"), days=30,
    ),
    Resource(
        "datasets", "Dataset", "Versions of data that models were trained on.", "datasets", P.READ_RESEARCH,
        columns(
            time="ts span_from span_to known_to",
            text="name status gap_verdict quality_verdict source sha256 made_by", integer="version rows",
        ),
        _one(RESEARCH, "datasets"), ("name",),
    ),
    Resource(
        "backtests", "Backtest", "Runs of strategies over history, and their figures.", "backtests", P.READ_RESEARCH,
        columns(
            time="ts from_ts to_ts", text="strategy venue tier status run_id symbols fills_hash reason",
            integer="version trades fills refused",
            number="start_quote end_quote pnl_quote return_share sharpe sortino calmar drawdown_share_max"
            " drawdown_s_max win_share profit_factor fees_quote turnover_quote exposure_share seconds",
        ),
        _one(RESEARCH, "backtests"), ("strategy", "run_id"),
    ),
    Resource(
        "lineage", "Lineage", "What was made from what.", "lineage", P.READ_RESEARCH,
        columns(time="ts", text="job from_kind from_name to_kind to_name run_id detail"),
        _one(RESEARCH, "lineage"), ("name",), days=30,
    ),
)  # fmt: skip

OF_TRADING: Sequence[Resource] = (
    Resource(
        "strategies", "Strategy", "What is traded, by the newest decision of each.", "decisions", P.READ_TRADING,
        columns(
            time="ts", text="account venue symbol strategy action rule state reason", integer="version",
            number="target", decimal="quantity",
        ),
        _one(TRADING, "strategies"), ("account", "strategy"), timed=False,
    ),
    Resource(
        "decisions", "Decision", "What each cycle saw and decided, refusals included.", "decisions", P.READ_TRADING,
        columns(
            time="ts signal_ts signal_known_at",
            text="account venue symbol strategy action rule unit state cycle_id correlation_id client_order_id reason"
            " warnings trace_id",
            integer="version", number="target confidence",
            decimal="mark quantity target_quantity order_quantity observed limit_value limit_scale",
        ),
        _one(TRADING, "decisions"), ("account", "strategy", "venue", "symbol", "action"), days=1,
    ),
    Resource(
        "orders", "Order", "Every order as it stands now.", "order_events", P.READ_TRADING, columns(**_ORDER),
        _one(TRADING, "orders"), ("account", "strategy", "venue", "symbol", "state", "order_id"), days=30,
    ),
    Resource(
        "order-events", "OrderEvent", "The steps of orders' lives.", "order_events", P.READ_TRADING,
        columns(**{**_ORDER, "text": f"{_ORDER['text']} trace_id"}),
        _one(TRADING, "order_events"), ("account", "strategy", "venue", "symbol", "order_id"), days=30,
    ),
    Resource(
        "fills", "Fill", "Executions.", "fills", P.READ_TRADING,
        columns(
            time="ts received_at",
            text="account venue symbol strategy side liquidity fee_currency fill_id order_id venue_order_id"
            " correlation_id trace_id",
            decimal="quantity price cost fee fee_quote",
        ),
        _one(TRADING, "fills"), ("account", "strategy", "venue", "symbol", "order_id"), days=30,
    ),
    Resource(
        "positions", "Position", "What each strategy holds now.", "position_events", P.READ_TRADING,
        columns(
            time="ts", text="account venue symbol strategy cause fill_id", integer="seq",
            decimal="quantity average_price cost_basis realised_quote fees_quote realised_fifo_quote cost_fifo"
            " funding_quote fees_base fees_other_quote rebates_quote",
        ),
        _one(TRADING, "positions"), ("account", "strategy", "venue", "symbol"), timed=False,
    ),
    Resource(
        "pnl", "Pnl", "Profit of each strategy and symbol, at the middle of the newest quote.", "pnl", P.READ_TRADING,
        columns(
            time="ts", text="account venue symbol strategy", decimal="quantity average_price",
            number="mark realised_quote unrealised_quote pnl_quote fees_quote realised_fifo_quote"
            " unrealised_fifo_quote funding_quote fees_base fees_other_quote rebates_quote dust_quantity dust_quote",
        ),
        _one(TRADING, "pnl"), ("account", "strategy", "venue", "symbol"), timed=False,
    ),
    Resource(
        "exposure", "Exposure", "What is at risk now, and the most that open orders may make of it.", "exposure",
        P.READ_TRADING,
        columns(
            text="account venue symbol",
            number="quantity held_quote open_buys_quote open_sells_quote worst_case_quote gross_quote",
        ),
        _one(TRADING, "exposure"), ("account", "venue", "symbol"), timed=False,
    ),
    Resource(
        "equity", "Equity", "What accounts were worth.", "equity", P.READ_TRADING,
        columns(
            time="ts", text="account quote_currency",
            decimal="cash positions_quote equity_quote gross_exposure_quote realised_quote unrealised_quote"
            " day_pnl_quote realised_fifo_quote funding_quote capital_quote",
        ),
        _one(TRADING, "equity"), ("account",), days=1,
    ),
    Resource(
        "balances", "Balance", "What accounts have of each currency.", "balances", P.READ_TRADING,
        columns(time="ts", text="account venue currency", decimal="free locked"),
        _one(TRADING, "balances"), ("account", "venue"), timed=False,
    ),
    Resource(
        "limits", "Limit", "What bounds accounts now.", "limits_now", P.READ_TRADING,
        columns(text="account name unit origin", number="value"),
        _one(TRADING, "limits"), ("account",), timed=False,
    ),
    Resource(
        "limit-changes", "LimitChange", "Limits that were set, reset or asked for.", "limits", P.READ_TRADING,
        columns(
            time="ts", text="account name strategy symbol status unit actor approved_by change_id reason",
            integer="seq", decimal="before value",
        ),
        _one(TRADING, "limit_changes"), ("account",), common=True,
    ),
    Resource(
        "trading-state", "TradingState", "ACTIVE, REDUCING or HALTED: who made it so and why.", "trading_state",
        P.READ_TRADING, columns(time="ts", text="account state actor reason", integer="seq"),
        _one(TRADING, "trading_state"), ("account",),
    ),
    Resource(
        "commands", "Command", "What people and programs ordered, and what came of it.", "commands", P.READ_TRADING,
        columns(time="ts", text="account actor command status command_id arguments outcome", integer="seq"),
        _one(TRADING, "commands"), ("account",), days=30,
    ),
    Resource(
        "parity", "Parity", "Decisions taken live beside those of a replay.", "parity", P.READ_TRADING,
        columns(
            time="ts day compared_at", text="account venue symbol strategy cause live replayed", integer="version",
            flag="equal",
        ),
        _one(RESEARCH, "parity"), ("account", "strategy"), days=30,
    ),
)  # fmt: skip

OF_OPERATIONS: Sequence[Resource] = (
    Resource(
        "services", "ServiceBeat", "What runs, by the newest heartbeat of each.", "services", P.READ_OPERATIONS,
        columns(
            time="ts", text="service instance state version detail host capabilities",
            integer="pid port open_files threads", number="resident_mb cpu_s",
        ),
        _one(OPERATIONS, "services"), timed=False,
    ),
    Resource(
        "jobs", "JobRun", "Runs of scheduled jobs, and how they ended.", "job_runs", P.READ_OPERATIONS,
        columns(time="ts slot", text="job status cause run_id outcome", integer="seq", number="duration_s"),
        _one(OPERATIONS, "jobs"), ("job", "status"), days=7,
    ),
    Resource(
        "logs", "LogLine", "What services say.", "logs", P.READ_LOGS,
        columns(
            time="ts", text="service level instance module event correlation_id trace_id fields", integer="seq"
        ),
        _one(OPERATIONS, "logs"), ("service", "level", "event", "correlation_id", "trace_id"), days=1,
    ),
    Resource(
        "alerts", "Alert", "Alerts that fired and ended, and what the trader was asked for because of them.", "alerts",
        P.READ_OPERATIONS,
        columns(
            time="ts", integer="seq",
            text="account strategy name step severity team asked summary fingerprint starts_at ends_at labels stream",
        ),
        _one(OPERATIONS, "alerts"), ("account", "strategy", "name", "severity", "step"), days=30, common=True,
    ),
    Resource(
        "errands", "ErrandStep", "What people asked for that takes long, each at its newest step.", "errands",
        P.READ_OPERATIONS,
        columns(
            time="ts asked_at started_at",
            text="kind state asked_by errand_id who arguments progress outcome error", integer="seq", number="share",
        ),
        _one(ERRANDS, "errands"), ("kind", "state"), days=30,
    ),
    Resource(
        "events", "Event", "Everything that happened.", "events", P.READ_AUDIT,
        columns(
            time="ts", text="category type stream correlation_id causation_id attributes payload",
            integer="seq position version",
        ),
        _one(OPERATIONS, "events"), ("category", "type", "correlation_id"), days=1,
    ),
    Resource(
        "audit", "AuditEntry", "Who changed what, and the hashes that prove it.", "audit", P.READ_AUDIT,
        columns(time="ts", text="writer who what before after why correlation_id previous_hash hash", integer="seq"),
        _one(OPERATIONS, "audit"), ("who", "what"), days=30,
    ),
    Resource(
        "backups", "Backup", "Copies and what they hold.", "backups", P.READ_OPERATIONS,
        columns(
            time="ts covers_to", text="kind status backup_id snapshot_id error", number="duration_s checkpoint_s",
            integer="files bytes_total bytes_added",
        ),
        _one(OPERATIONS, "backups"), ("kind", "status"),
    ),
    Resource(
        "drills", "RestoreDrill", "Restores that were proved, with their RPO and RTO.", "restore_drills",
        P.READ_OPERATIONS,
        columns(
            time="ts proved_to", text="status drill_id backup_id snapshot_id error",
            number="rpo_market_s rpo_journal_s rto_s", integer="bytes_restored tables partitions rows differences",
        ),
        _one(OPERATIONS, "drills"), ("status",),
    ),
    Resource(
        "config", "ConfigVersion", "The settings as they changed; secrets are hidden.", "config_versions",
        P.READ_CONFIG,
        columns(
            time="ts", text="status cause instance fingerprint changes error why settings", integer="version"
        ),
        _one(OPERATIONS, "config"), ("status",),
    ),
    Resource(
        "users-history", "UserEvent", "What was said of users.", "users_history", P.READ_USERS,
        columns(time="ts", text="user what who detail", integer="seq"),
        _one(OPERATIONS, "users_history"), ("user", "what"),
    ),
)  # fmt: skip

RESOURCES: Sequence[Resource] = (*OF_MARKET, *OF_RESEARCH, *OF_TRADING, *OF_OPERATIONS)
