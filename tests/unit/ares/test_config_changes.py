"""Goal: a change of settings is named exactly, no secret shows in it, and only what may change while running does."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from ares.config import AresConfig
from ares.config.changes import Change, differences, fingerprint, shown, take_over
from ares.config.settings import DatabaseConfig, IngestConfig, VenueConfig
from ares.config.trading import RiskConfig, TradingConfig

configs = st.builds(
    AresConfig,
    ingest=st.builds(
        IngestConfig,
        symbols=st.sampled_from([("BTC/USDT",), ("BTC/USDT", "ETH/USDT")]),
        silence_s_max=st.floats(0.1, 100),
        watermark_s=st.floats(0.1, 5),
    ),
    trading=st.builds(
        TradingConfig,
        account=st.sampled_from(["paper", "main"]),
        cycle_s=st.floats(0.1, 60),
        risk=st.builds(RiskConfig, price_collar=st.decimals("0.001", "0.999", places=3)),
    ),
    database=st.builds(DatabaseConfig, password=st.sampled_from(["one", "two"]).map(SecretStr)),
)


def test_changed_settings_are_named_with_both_values_and_whether_they_need_a_restart() -> None:
    before = AresConfig()
    trading = before.trading.model_copy(
        update={"account": "main", "risk": RiskConfig(price_collar=Decimal("0.02"))},
    )
    changes = differences(before, before.model_copy(update={"trading": trading}))
    assert changes == [
        Change("trading.account", "paper", "main", reloadable=False),
        Change("trading.risk.price_collar", "0.01", "0.02", reloadable=True),
    ]


def test_venue_that_comes_or_changes_is_named_and_its_secrets_are_hidden() -> None:
    one = AresConfig(venues={"a": VenueConfig(api_secret=SecretStr("s3cret"))})
    two = AresConfig(venues={"a": VenueConfig(api_secret=SecretStr("0ther")), "b": VenueConfig()})
    changes = differences(one, two)
    assert [change.field for change in changes] == ["venues.a.api_secret", "venues.b"]
    assert changes[0] == Change("venues.a.api_secret", "(hidden)", "(hidden)", reloadable=True)
    assert not changes[1].reloadable
    assert "s3cret" not in str(shown(one))


def test_fingerprint_tells_settings_apart_but_says_nothing_of_a_secret() -> None:
    plain = AresConfig()
    secret = AresConfig(database=DatabaseConfig(password=SecretStr("other")))
    slower = AresConfig(trading=TradingConfig(cycle_s=6.0))
    assert fingerprint(plain) == fingerprint(AresConfig()) == fingerprint(secret)
    assert fingerprint(plain) != fingerprint(slower)


@given(configs, configs)
def test_taking_over_leaves_exactly_the_changes_that_need_a_restart(running: AresConfig, wanted: AresConfig) -> None:
    taken = take_over(running, wanted)
    assert all(not change.reloadable for change in differences(taken, wanted))
    assert all(change.reloadable for change in differences(running, taken))
    assert differences(taken, wanted) == [c for c in differences(running, wanted) if not c.reloadable]
