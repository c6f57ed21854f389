"""Goal: a setting is right or refused by name; layers win in the documented order."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from ares.config import AresConfig, load_config
from ares.config.changes import differences, take_over
from ares.errors import ConfigError


def load(environ: dict[str, str] | None = None, file: Path | None = None, profile: str | None = None) -> AresConfig:
    return load_config(profile, file, environ or {})


def test_environment_wins_over_file_and_file_over_profile(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("[database]\nhttp_port = 1\npg_port = 2\n")
    config = load({"ARES_DATABASE__HTTP_PORT": "3"}, own)
    assert (config.database.http_port, config.database.pg_port, config.database.health_port) == (3, 2, 9003)


def test_file_and_profile_may_come_from_variables(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("[trading]\naccount = 'mine'\n")
    passwords = {"ARES_DATABASE__PASSWORD": "x", "ARES_DATABASE__READONLY_PASSWORD": "y"}
    config = load({"ARES_CONFIG": str(own), "ARES_PROFILE": "staging", **passwords})
    assert (config.trading.account, config.environment.profile) == ("mine", "staging")


def test_nested_settings_and_lists_can_be_set_by_variables() -> None:
    config = load(
        {
            "ARES_TRADING__RISK__PRICE_COLLAR": "0.02",
            "ARES_VENUES__SIM__PING_S": "3",
            "ARES_INGEST__SYMBOLS": '["BTC/USDT"]',
        }
    )
    assert config.trading.risk.price_collar == Decimal("0.02")
    assert config.venues["sim"].ping_s == 3
    assert config.ingest.symbols == ("BTC/USDT",)


def test_every_profile_is_valid_with_its_secrets() -> None:
    secrets = {"ARES_DATABASE__PASSWORD": "x", "ARES_DATABASE__READONLY_PASSWORD": "y"}
    for profile in ("dev", "staging", "prod"):
        assert load(secrets, profile=profile).environment.profile == profile


def test_default_passwords_are_refused_outside_dev() -> None:
    with pytest.raises(ConfigError, match=r"database\.password.*ARES_DATABASE__PASSWORD"):
        load(profile="prod")


SECRETS = {"ARES_DATABASE__PASSWORD": "x", "ARES_DATABASE__READONLY_PASSWORD": "y"}


@pytest.mark.parametrize("host", ["db.internal", "10.0.0.7", "2001:db8::1"])
def test_another_machine_is_not_reached_in_the_clear_outside_dev(host: str) -> None:
    there = {**SECRETS, "ARES_DATABASE__HOST": host}
    for profile in ("staging", "prod"):
        with pytest.raises(ConfigError, match=r"database\.tls = 'off'.*in the clear.*'verified'.*'mesh'"):
            load(there, profile=profile)
        for said in ("verified", "mesh"):
            assert load({**there, "ARES_DATABASE__TLS": said}, profile=profile).database.tls == said
    assert load({**there, "ARES_DATABASE__MODE": "remote"}).database.tls == "off"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_this_machine_is_reached_in_the_clear(host: str) -> None:
    assert load({**SECRETS, "ARES_DATABASE__HOST": host}, profile="prod").database.host == host


def test_control_store_elsewhere_must_say_how_it_is_reached() -> None:
    url = "postgresql+psycopg://ares:hunter2hunter2@pg.internal/ares"
    with pytest.raises(ConfigError, match=r"control\.url.*pg\.internal.*sslmode=verify-full") as refused:
        load({**SECRETS, "ARES_CONTROL__URL": url}, profile="prod")
    assert "hunter2" not in str(refused.value)
    for said in (f"{url}?sslmode=prefer", "postgresql+psycopg:///ares?host=db.internal"):
        with pytest.raises(ConfigError, match=r"control\.url.*does not say how"):
            load({**SECRETS, "ARES_CONTROL__URL": said}, profile="prod")
    for said in ("verify-full", "disable"):
        assert load({**SECRETS, "ARES_CONTROL__URL": f"{url}?sslmode={said}"}, profile="prod").control.url
    there = "postgresql+psycopg:///ares?host=/run/postgresql"
    assert load({**SECRETS, "ARES_CONTROL__URL": there}, profile="prod").control.url
    assert load({**SECRETS, "ARES_CONTROL__URL": "sqlite:////var/lib/ares/control.db"}, profile="prod").control.url


def test_brokers_elsewhere_are_not_reached_in_the_clear() -> None:
    there = {**SECRETS, "ARES_KAFKA__SERVERS": "127.0.0.1:9092,kafka.internal:9092"}
    with pytest.raises(ConfigError, match=r"kafka\.security = 'plaintext': kafka\.internal would be reached"):
        load(there, profile="prod")
    assert load({**there, "ARES_KAFKA__SECURITY": "ssl"}, profile="prod").kafka.security == "ssl"
    with pytest.raises(ConfigError, match=r"kafka\.security"):
        load({**SECRETS, "ARES_KAFKA__SERVERS": "kafka.internal"}, profile="prod")
    assert load({**SECRETS, "ARES_KAFKA__SERVERS": "[::1]:9092"}, profile="prod").kafka.servers == "[::1]:9092"
    with pytest.raises(ConfigError, match="user and password belong together"):
        load({"ARES_KAFKA__SECURITY": "sasl_ssl", "ARES_KAFKA__USER": "ares"})


def test_a_trader_elsewhere_is_asked_with_a_token_that_both_have_and_not_in_the_clear() -> None:
    there = {**SECRETS, "ARES_TRADING__CONTROL_URL": "http://trader:8820"}
    with pytest.raises(ConfigError, match=r"(?i)whose token nobody here knows\. Set control_token"):
        load(there, profile="prod")
    there["ARES_TRADING__CONTROL_TOKEN"] = "said-to-both"
    with pytest.raises(ConfigError, match=r"trading\.control_url = 'trader': .*in the clear.*control_tls = 'mesh'"):
        load(there, profile="prod")
    assert load({**there, "ARES_TRADING__CONTROL_TLS": "mesh"}, profile="prod").trading.control_url
    assert load({**there, "ARES_TRADING__CONTROL_URL": "https://trader.internal"}, profile="prod").trading.control_url
    assert load(there).trading.control_tls == "off"
    with pytest.raises(ConfigError, match=r"trading\.control_host = '0\.0\.0\.0': .*not this machine alone"):
        load({**SECRETS, "ARES_TRADING__CONTROL_HOST": "0.0.0.0"}, profile="staging")
    for wrong in ("trader:8820", "http://ada:secret@trader", "http://trader/path"):
        with pytest.raises(ConfigError, match=r"trading\.control_url"):
            load({**there, "ARES_TRADING__CONTROL_URL": wrong})


def test_half_a_certificate_and_an_encrypted_loopback_are_refused() -> None:
    with pytest.raises(ConfigError, match="cert_file and key_file belong together"):
        load({"ARES_TLS__CERT_FILE": "/x.pem"})
    with pytest.raises(ConfigError, match=r"(?i)an embedded QuestDB is reached over loopback"):
        load({"ARES_DATABASE__TLS": "verified"})


@pytest.mark.parametrize(
    ("environ", "complaint"),
    [
        ({"ARES_DATABASE__HTP_PORT": "1"}, r"database\.htp_port = '1': no such setting. Did you mean http_port\?"),
        ({"ARES_DATABASE__HTTP_PORT": "abc"}, r"database\.http_port = 'abc': .*ARES_DATABASE__HTTP_PORT"),
        ({"ARES_DATABASE__HTTP_PORT": "70000"}, r"database\.http_port = '70000': .*65535"),
        ({"ARES_DATABSE__X": "1"}, r"ARES_DATABSE__X = '1': no such section. Did you mean ARES_DATABASE__"),
        ({"ARES_DATABSE__PASSWORD": "hush"}, r"ARES_DATABSE__PASSWORD = '\(hidden\)': no such section"),
        ({"ARES_ZZZZ": "1"}, r"ARES_ZZZZ = '1': no such section"),
        ({"ARES_PROFILE": "x"}, r"ARES_PROFILE = 'x': no such profile. Choose one of dev, staging, prod"),
        ({"ARES_CONFIG": "/nope.toml"}, r"config file = '/nope.toml': no such file"),
        ({"ARES_INGEST__SYMBOLS": "BTC"}, r"ARES_INGEST.*not JSON"),
        ({"ARES_API__PROXIES": '["10.0.0.1/8"]'}, r"api\.proxies = .*has host bits set: .*ARES_API__PROXIES"),
        ({"ARES_API__PROXIES": '["10.0.0.7", "*"]'}, r"api\.proxies = .*'\*' does not .*10\.0\.0\.0/8 is expected"),
        ({"ARES_ENVIRONMENT__QQQ": "1"}, r"environment\.qqq = '1': no such setting. Known here: .*state_dir"),
    ],
)
def test_what_is_wrong_is_named_with_its_value_and_the_way_out(environ: dict[str, str], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load(environ)


ON_PERPETUALS = "[trading]\nvenue = 'perps'\n{}[venues.perps]\nprotocol = 'binanceusdm'\n"
ONE, OTHER = (f"[[trading.strategies]]\nname = '{name}'\nmax_position_quote = 9\n" for name in ("one", "other"))


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        (
            f"{ONE}{OTHER}[trading.protection]\nstop_loss_pct = 2\n",
            r"trading\.protection = 'stop_loss_pct = 2': one and other both trade .*Give each contract to one strategy",
        ),
        (
            f"{ONE}{OTHER}protection = {{ trailing_pct = 1.5 }}\n",
            r"trading\.strategies\.other\.protection = 'trailing_pct = 1\.5': other and one both trade",
        ),
        (f"{ONE}protection = {{ trailing_pct = 12 }}\n", r"trailing_pct = 12': venue perps follows .*0\.1 to 10"),
        (f"{ONE}protection = {{ trailing_pct = 1.55 }}\n", r"steps of 0\.1"),
        (f"{ONE}protection = {{ take_profit_pct = 100 }}\n", r"take_profit_pct = 100': a short .*Set it below 100"),
    ],
)
def test_protection_of_a_contract_that_strategies_share_is_refused_with_the_way_out(
    tmp_path: Path, settings: str, complaint: str
) -> None:
    own = tmp_path / "own.toml"
    own.write_text(settings)
    assert load(file=own).trading.venue == "sim", "of coins each has its own"
    own.write_text(ON_PERPETUALS.format(settings))
    with pytest.raises(ConfigError, match=complaint):
        load(file=own)


def test_protection_of_contracts_that_each_have_one_strategy_is_taken(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    each = "{}symbols = ['{}/USDT:USDT']\n"
    settings = each.format(ONE, "BTC") + each.format(OTHER, "ETH") + "[trading.protection]\ntrailing_pct = 1.5\n"
    own.write_text(ON_PERPETUALS.format(settings))
    assert load(file=own).trading.protection.said() == "trailing_pct = 1.5"
    own.write_text(ON_PERPETUALS.format(f"{ONE}{OTHER}"))
    assert load(file=own).trading.protection.said() is None


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        (
            "[trading.execution]\npolicy = 'post_only'\n",
            r"trading\.execution\.policy = 'post_only': venue perps .*no order rests.*Set it to ioc or twap",
        ),
        (
            "[[trading.strategies]]\nname = 's'\nmax_position_quote = 9\nexecution = { policy = 'iceberg' }\n",
            r"trading\.strategies\.s\.execution\.policy = 'iceberg': .*a venue of coins",
        ),
    ],
)
def test_no_order_rests_for_perpetuals_and_that_is_said(tmp_path: Path, settings: str, complaint: str) -> None:
    own = tmp_path / "own.toml"
    own.write_text(settings)
    assert load(file=own).trading.venue == "sim"
    own.write_text(f"[trading]\nvenue = 'perps'\n{settings}[venues.perps]\nprotocol = 'binanceusdm'\n")
    with pytest.raises(ConfigError, match=complaint):
        load(file=own)
    sliced = settings.replace("post_only", "twap").replace("iceberg", "twap")
    own.write_text(f"[trading]\nvenue = 'perps'\n{sliced}[venues.perps]\nprotocol = 'binanceusdm'\n")
    assert load(file=own).trading.venue == "perps"


@pytest.mark.parametrize(("name", "value"), [("over_s", "60"), ("slices", "1"), ("visible_share", "0")])
def test_a_plan_that_would_outlive_its_signal_or_be_none_is_refused(tmp_path: Path, name: str, value: str) -> None:
    own = tmp_path / "own.toml"
    own.write_text(f"[trading.execution]\npolicy = 'twap'\n{name} = {value}\n")
    with pytest.raises(ConfigError, match=rf"trading\.execution\.{name} = {value}"):
        load(file=own)


def test_broken_toml_is_named(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("[database\n")
    with pytest.raises(ConfigError, match=r"own\.toml.*cannot be read"):
        load(file=own)


def test_secrets_never_show_in_what_is_printed() -> None:
    config = load({"ARES_VENUES__SIM__API_SECRET": "hush-hush"})
    assert "hush-hush" not in config.model_dump_json() + repr(config)


def test_error_about_a_secret_does_not_repeat_its_value() -> None:
    with pytest.raises(ConfigError) as caught:
        load({"ARES_VENUES__SIM__API_SECRET__X": "hush-hush"})
    assert "hush-hush" not in str(caught.value)


def test_variables_for_tests_and_ci_are_not_settings() -> None:
    assert load({"ARES_TEST_EXAMPLES": "5", "ARES_CI": "full"}) == load()


def test_config_cannot_be_changed_after_loading() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().database.http_port = 1  # type: ignore[misc]


FEED = {
    "ARES_SIMULATOR__FEED": "live",
    "ARES_VENUES__LIVE__PROTOCOL": "binance",
    "ARES_DATABASE__PASSWORD": "x",
    "ARES_DATABASE__READONLY_PASSWORD": "y",
}


@pytest.mark.parametrize("profile", ["dev", "prod"])
def test_a_venue_of_binances_protocol_feeds_paper_trading_without_keys(profile: str) -> None:
    config = load(FEED, profile=profile)
    assert (config.simulator.feed, config.venues["live"].api_key) == ("live", None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ARES_SIMULATOR__FEED": "nowhere"}, r"simulator\.feed = 'nowhere': no such venue.*live, sim"),
        ({"ARES_VENUES__LIVE__PROTOCOL": "kraken"}, r"simulator\.feed = 'live': its protocol is kraken"),
        ({"ARES_INGEST__SYMBOLS": "[]"}, r"ingest\.symbols = \(\): a feed needs symbols"),
        ({"ARES_SIMULATOR__RECORDINGS": '["a.gz"]'}, r"simulator\.recordings = 'a\.gz': simulator\.feed = 'live'"),
        ({"ARES_SIMULATOR__PERPETUALS__ENABLED": "true"}, r"simulator\.perpetuals\.enabled.*a feed is of coins"),
        ({"ARES_VENUES__LIVE__REST_URL": "http://localhost:8900"}, r"simulator\.feed = 'live'.*the exchange itself"),
        ({"ARES_SIMULATOR__FEED_BACKOFF_S_MIN": "60"}, r"feed_backoff_s_min"),
    ],
    ids=["unknown venue", "other protocol", "no symbols", "recordings too", "perpetuals", "itself", "backoff"],
)
def test_a_feed_that_cannot_be_is_refused_by_name(change: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(FEED | change)


def windows(*spans: tuple[str, str]) -> dict[str, str]:
    written = ", ".join(f'{{"begins": "{begins}", "ends": "{ends}"}}' for begins, ends in spans)
    return {"ARES_VENUES__SIM__MAINTENANCE": f"[{written}]"}


NIGHT = ("2026-12-01T02:00:00Z", "2026-12-01T04:00:00Z")


def test_announced_maintenance_may_be_written_in_toml_and_follow_at_once(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        "[venues.sim]\nmaintenance = [{begins = 2026-12-01T04:00:00Z, ends = 2026-12-01T05:00:00Z},"
        " {begins = 2026-12-01T02:00:00Z, ends = 2026-12-01T04:00:00Z}]\n"
    )
    assert [window.begins.hour for window in load(file=own).venues["sim"].maintenance] == [4, 2]


@pytest.mark.parametrize(
    ("spans", "said"),
    [
        ([NIGHT[::-1]], "is not before ends"),
        ([(NIGHT[0], NIGHT[0])], "is not before ends"),
        ([("2026-12-01T02:00:00+01:00", NIGHT[1])], r"begins = 2026-12-01t02:00:00\+01:00: not utc"),
        ([("2026-12-01T02:00:00", NIGHT[1])], r"maintenance\.0\.begins.*timezone"),
        ([NIGHT, ("2026-12-01T03:59:59Z", "2026-12-01T05:00:00Z")], "overlap. make them one"),
    ],
    ids=["backwards", "empty", "not UTC", "of no zone", "overlapping"],
)
def test_announced_maintenance_that_cannot_be_is_refused(spans: list[tuple[str, str]], said: str) -> None:
    with pytest.raises(ConfigError, match=rf"venues\.sim.*{said}"):
        load(windows(*spans))


def test_announced_maintenance_is_taken_up_while_running() -> None:
    before, after = load(), load(windows(NIGHT))
    assert all(change.reloadable for change in differences(before, after))
    assert take_over(before, after).venues["sim"].maintenance == after.venues["sim"].maintenance


def test_the_guides_settings_for_trading_on_paper_are_valid_in_every_profile(tmp_path: Path) -> None:
    guide = (Path(__file__).resolve().parents[3] / "docs/guides/trader/paper.md").read_text(encoding="utf-8")
    own = tmp_path / "paper.toml"
    own.write_text(guide.split("<<'END'\n")[1].split("END\n")[0], encoding="utf-8")
    for profile in ("dev", "staging", "prod"):
        config = load(SECRETS, own, profile)
        assert (config.simulator.feed, config.trading.venue, config.trading.live) == ("binance", "paper", False)
