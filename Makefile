# Ares' commands. `make help` prints this file's targets with what they are for.
# Nothing but Python >= 3.11, git and make is expected on the machine; everything else is set up by `setup`.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
DURATION ?=
REPORT ?=
SEEDS ?= 200
VENUE ?=
RELOADS ?= 200
SEED ?=
PIN ?=
ENTRIES ?= 1000000
EVENTS ?= 1000000
DRAINS ?= 50
KILLS ?= 50
CELLS ?= 100000
STORE_KILLS ?= 20
AWAY_S ?= 120
SOAK_S ?= 1200
GB ?= 5
GRAFANA ?=
PICTURES ?=
ONLY ?=
OUT ?= bench.json
DATA ?=
FAMILIES ?=
DOCKER ?= docker
BASE ?= debian:bookworm-slim
TAG ?= dev
LOCAL ?=
CONTAINED ?= tests/views tests/integration/test_{analytics_freeze,analytics_queries,analytics_service,api,catalog_columns,columns,dsn,imports,ingest_quality,ingest_service,lineage,migrations,statement_guard,storage_keeper,store,traces,trader_reader,trader_service,trader_views}.py

export UV_NO_PROGRESS := 1
# Images set it. Every process that is started would compile all that it imports, which takes longer than its work.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*\#\# .*/\1/p' $(MAKEFILE_LIST))

help: ## print this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/ready ## create .venv with the locked dependencies

.venv/ready: pyproject.toml uv.lock
	@echo "setting up .venv with the locked dependencies"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Ares needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Call make PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9,<1"
	@$(BIN)/uv sync --frozen --quiet
	@touch $@

demo: .venv/ready ## run everything live against the simulated exchange; DURATION=90 REPORT=out.json ends by itself
	@$(BIN)/ares demo $(if $(DURATION),--duration "$(DURATION)") $(if $(REPORT),--report "$(REPORT)")

test: .venv/ready ## run all tests; bounded counts, real QuestDB
	$(BIN)/python -m pytest $(ARGS)

test-warm: .venv/ready ## what the QuestDB of every run of tests starts from, made once into the folder ARGS
	$(BIN)/python -m tests.questdb_warm "$(ARGS)"

lint: .venv/ready ## style, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

workflows: .venv/ready ## what CI does: syntax of the workflows (actionlint, built with Go) and their security (zizmor)
	$$(infra/actionlint/build.sh) -shellcheck $(BIN)/shellcheck -pyflakes=
	$(BIN)/uv sync --frozen --quiet --project tests/infra/checks
	tests/infra/checks/.venv/bin/zizmor --offline --quiet --persona=pedantic .github

format: .venv/ready ## put the code into its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

generate: .venv/ready ## write again what is generated: references of schema, config, errors, events, venue conformance; boards, SQL alerts, modules' READMEs
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/terraform.py
	$(BIN)/python -m tests.conformance.table
	PYTHONPATH=grafana/src $(BIN)/python -m ares_boards grafana/dashboards
	$(BIN)/python -m alerting.sql_rules
	$(BIN)/python deploy/kubernetes/generate.py

coverage: .venv/ready ## run all tests and report branch coverage
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered --sort=cover

fuzz: .venv/ready ## the property tests with SEEDS examples each
	ARES_TEST_EXAMPLES=$(SEEDS) $(BIN)/python -m pytest tests/property tests/conformance $(ARGS)

conformance: .venv/ready ## the numbered cases that every venue must pass; VENUE=name SEEDS=schedules (200)
	ARES_TEST_VENUE=$(VENUE) ARES_TEST_EXAMPLES=$(SEEDS) $(BIN)/python -m pytest tests/conformance $(ARGS)

strategy-library: .venv/ready ## what every strategy wants on recorded bars, against what is pinned; PIN=1 pins it anew
	$(if $(PIN),$(BIN)/python -m tests.strategy_library)
	ARES_TEST_LIBRARY=long $(BIN)/python -m pytest tests/integration/test_strategy_library.py $(ARGS)

train-real: .venv/ready ## train on the longest real bars beside the checkout, with figures out of sample; DATA=folder FAMILIES="logistic forest"
	$(BIN)/python -m bench.train_real $(DATA) $(if $(FAMILIES),--families $(FAMILIES))

supply-chain: .venv/ready ## licences, known vulnerabilities, bill of materials, secrets in tracked files and in the history
	$(BIN)/uv sync --frozen --quiet --group supply-chain
	$(BIN)/python .ci/supply_chain.py

vaultd: ## build a real Vault for the tests, once, into the user's cache (Go >= 1.20, some minutes)
	@infra/vault/build.sh

test-vault: .venv/ready vaultd ## the tests against a real Vault
	$(BIN)/python -m pytest tests/integration/test_secrets_vault.py tests/acceptance/test_demo.py $(ARGS)

controlplane: ## build a real Kubernetes control plane for the tests, once, into the user's cache (Go, some minutes)
	@infra/kubernetes/build.sh

test-cluster: .venv/ready controlplane ## every overlay on a real API server: admission, Pod Security, rollouts
	ARES_TEST_CLUSTER=1 $(BIN)/python -m pytest -q tests/infra/test_kubernetes_cluster*.py $(ARGS)

test-terraform: .venv/ready ## terraform/ tried out in full: all of dev and bootstrap applied to an AWS on this machine, planned again, destroyed
	ARES_TEST_TERRAFORM=1 $(BIN)/python -m pytest -q -s tests/infra/test_terraform*.py $(ARGS)

terraform-inventories: .venv/ready ## write again what each environment of terraform/ makes (terraform/inventories); a test proves it fresh
	$(BIN)/python -m tests.terraform_inventories

images: ## build the images ares:TAG and ares-questdb:TAG on BASE; LOCAL=1 makes BASE of Debian's packages if it is not there
	$(if $(LOCAL),$(DOCKER) image inspect $(BASE) >/dev/null 2>&1 || deploy/images/local-base.sh $(BASE))
	DOCKER_BUILDKIT=1 $(DOCKER) build --build-arg BASE=$(BASE) --file deploy/images/questdb.Dockerfile --tag ares-questdb:$(TAG) .
	DOCKER_BUILDKIT=1 $(DOCKER) build --build-arg BASE=$(BASE) --build-arg REVISION=$$(git rev-parse HEAD) --file deploy/images/ares.Dockerfile --tag ares:$(TAG) .

test-containers: .venv/ready images ## the demo in containers, each killed once; then CONTAINED tests against QuestDB in a container; LOCAL=1 as with images
	ARES_TEST_CONTAINERS=1 $(BIN)/python -m pytest -q -s tests/containers $(ARGS)
	ARES_TEST_CONTAINERS=1 $(BIN)/python -m pytest -q $(CONTAINED) $(ARGS)

influxd: ## build a real InfluxDB for the tests, once, into the user's cache (Go, some minutes)
	@infra/influxdb/build.sh

test-influx: .venv/ready influxd ## the tests against a real InfluxDB
	$(BIN)/python -m pytest tests/integration/test_influx_server.py $(ARGS)

api-proof: EXAMPLES = 200
api-proof: .venv/ready ## EXAMPLES (200) of every operation as every role and as a key: the API answers as its OpenAPI says
	ARES_TEST_API_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -q tests/integration/test_api_schema.py $(ARGS)

# The optimising compiler of a QuestDB that is minutes old takes seconds of a processor, which the browser measured here
# shares with it, as no user's does: it is left out.
console-proof: export JDK_JAVA_OPTIONS = -XX:TieredStopAtLevel=1
console-proof: .venv/ready ## every page of the console at both sizes, as each role, in both themes; rows reach an open page in time; PICTURES=folder
	ARES_TEST_CONSOLE=full ARES_TEST_SCREENSHOTS="$(PICTURES)" $(BIN)/python -m pytest -q -s tests/browser $(ARGS)

stream-load: READERS = 500
stream-load: .venv/ready ## READERS (500) of the API's stream, a tenth asleep: memory is bounded, nobody is slowed down
	ARES_TEST_STREAM_READERS=$(READERS) ARES_TEST_STREAM_SECONDS=30 $(BIN)/python -m pytest -q tests/integration/test_api_stream_load.py $(ARGS)

backtest-proof: SEEDS = 1000
backtest-proof: .venv/ready ## SEEDS (1000) random markets and settings: the fast and the exact tier trade alike to the last digit
	ARES_TEST_TIERS=$(SEEDS) $(BIN)/python -m pytest -q tests/property/test_tiers_agree.py $(ARGS)

figures-proof: .venv/ready ## worth, profit, Sharpe, Sortino, volatility and drawdown of the fast tier's trades are vectorbt's too
	$(BIN)/uv sync --frozen --quiet --project bench/peers/vectorbt
	ARES_TEST_PEERS=1 $(BIN)/python -m pytest -q tests/integration/test_figures_by_vectorbt.py $(ARGS)

audit-proof: .venv/ready ## every attack on an audit chain of ENTRIES (1000000) is found in time
	ARES_TEST_AUDIT=$(ENTRIES) $(BIN)/python -m pytest -q -s tests/unit/ares/test_audit.py $(ARGS)

migration-proof: .venv/ready ## a migration killed KILLS (50) times at another partition each time is run again and complete
	ARES_TEST_MIGRATION_KILLS=$(KILLS) $(BIN)/python -m pytest -q tests/integration/test_migrations.py $(ARGS)

compliance-proof: .venv/ready ## a period of EVENTS (1000000) events and as many audit entries is packed and verified in bounded memory
	ARES_TEST_COMPLIANCE_EVENTS=$(EVENTS) $(BIN)/python -m pytest -q tests/integration/test_compliance.py -k memory $(ARGS)

rehearse-proof: .venv/ready ## an upgrade and a downgrade of QuestDB rehearsed on the whole schema
	ARES_TEST_REHEARSE=full $(BIN)/python -m pytest -q tests/integration/test_rehearsal.py $(ARGS)

poisoned-future: .venv/ready ## CELLS (100000) of features and signals are the same where the future is missing or garbage
	ARES_TEST_CELLS=$(CELLS) $(BIN)/python -m pytest -q -s tests/integration/test_features_proof.py $(ARGS)

replay-proof: .venv/ready ## all tables are rebuilt from EVENTS (1000000) events, proved equal, and the rate is told
	ARES_TEST_EVENTS=$(EVENTS) $(BIN)/python -m pytest -q tests/integration/test_events_replay.py $(ARGS)

crash-proof: .venv/ready ## 20,000 trades a second; the collector is killed KILLS times (50), the store STORE_KILLS times (20) and away AWAY_S (120)
	ARES_TEST_RATE=10000 ARES_TEST_KILLS=$(KILLS) ARES_TEST_STORE_KILLS=$(STORE_KILLS) ARES_TEST_AWAY_S=$(AWAY_S) $(BIN)/python -m pytest -q -s tests/integration/test_ingest_crashes.py $(ARGS)

drill: .venv/ready ## GB (5) of trades, more coming in, one backup, one restore drill: what a disaster costs, all partitions equal
	ARES_TEST_DRILL_MB=$$(( $(GB) * 1000 )) $(BIN)/python -m pytest -q -s tests/integration/test_backup_restore.py -k drill_while $(ARGS)

incidents: .venv/ready ## six incidents in a running Ares: told, acted on and over in time, with a table; 25 minutes
	ARES_TEST_INCIDENTS=1 ARES_TEST_GRAFANA="$(GRAFANA)" $(BIN)/python -m pytest -q -s tests/integration/test_incidents.py $(ARGS)

test-grafana: .venv/ready ## boards, sources and rules in a real Grafana (9.3 or newer) that was unpacked to GRAFANA=folder
	ARES_TEST_GRAFANA="$(GRAFANA)" $(BIN)/python -m pytest -q -s tests/integration/test_grafana.py $(ARGS)

simulate: SEEDS = 3000
simulate: .venv/ready ## a trader under SEEDS schedules of failures (3000), in virtual time; SEED=n replays one with its log
	$(BIN)/python -m tests.simulation.run $(if $(SEED),--seed "$(SEED)",--seeds "$(SEEDS)")

simulate-leaders: SEEDS = 200
simulate-leaders: .venv/ready ## SEEDS pairs (200) of traders that both believe in their lease, on one account and one store
	ARES_TEST_LEADERS=$(SEEDS) $(BIN)/python -m pytest tests/simulation/test_two_leaders.py $(ARGS)

simulate-processes: SEEDS = 100
simulate-processes: .venv/ready ## a trader process killed SEEDS times (100), then compared with the exchange's record
	ARES_TEST_PROCESS_KILLS=$(SEEDS) $(BIN)/python -m pytest -q tests/simulation/test_processes.py $(ARGS)

rehearse-switch: SWITCHES = 50
rehearse-switch: .venv/ready ## SWITCHES (50) from one real trader to the other under load, a failure injected into each, with a table; 20 minutes
	ARES_TEST_SWITCHES=$(SWITCHES) $(BIN)/python -m pytest -q -s tests/acceptance/test_deploy_switch.py $(ARGS)

backup-kills: KILLS = 30
backup-kills: .venv/ready ## a backup, restic or QuestDB is killed KILLS times (30) while a backup runs
	ARES_TEST_BACKUP_KILLS=$(KILLS) $(BIN)/python -m pytest -q -s tests/integration/test_backup_kills.py $(ARGS)

retention-kills: KILLS = 30
retention-kills: .venv/ready ## a run of retention is killed KILLS times (30) while it copies, proves and drops
	ARES_TEST_RETENTION_KILLS=$(KILLS) $(BIN)/python -m pytest -q -s tests/integration/test_retention.py -k killed $(ARGS)

disasters: .venv/ready ## all six disasters of the guide, by its own commands
	ARES_TEST_DISASTERS=1 $(BIN)/python -m pytest -q tests/acceptance/test_disaster_recovery.py $(ARGS)

rehearse-region: .venv/ready ## a region is cut off and lost, another takes over by what was replicated: nobody trades twice, and what it costs
	ARES_TEST_REGION=1 $(BIN)/python -m pytest -q -s tests/acceptance/test_second_region.py tests/integration/test_backup_second_region.py $(ARGS)

full-disk: .venv/ready ## a store, and a collector's spool, whose disks are full for a while (as root: it mounts small ones)
	ARES_TEST_FULL_DISK=1 $(BIN)/python -m pytest -q tests/integration/test_full_disk.py $(ARGS)

soak: .venv/ready ## a collector at more than twice the demo's load for SOAK_S seconds (1200): memory, queue, lag
	ARES_TEST_SOAK_S=$(SOAK_S) $(BIN)/python -m pytest -q -s tests/integration/test_ingest_soak.py

storm: .venv/ready ## the running demo: its settings change RELOADS times (200), its services end DRAINS times (50)
	ARES_TEST_RELOADS=$(RELOADS) ARES_TEST_DRAINS=$(DRAINS) $(BIN)/python -m pytest tests/acceptance/test_demo.py tests/integration/test_config_reload.py tests/integration/test_ingest_service.py $(ARGS)

bench: .venv/ready ## ratios against a peer in one run; ONLY=name OUT=file.json
	$(BIN)/python bench/run.py $(if $(ONLY),--only "$(ONLY)") --out "$(OUT)"

clean: ## remove the virtual environment and the caches; leaves var/ (your data) alone
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage*
