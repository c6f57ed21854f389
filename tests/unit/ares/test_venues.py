"""Goal: a venue's client is set up to reach that venue and nothing else."""

from __future__ import annotations

import ccxt.pro
import pytest

from ares.config.settings import VenueConfig
from ares.errors import ConfigError
from ares.venues import ccxt_settings

LOCAL = VenueConfig(rest_url="http://127.0.0.1:8900/", ws_url="ws://127.0.0.1:8900/", api_key="k", api_secret="s")


def addresses(urls: object) -> list[str]:
    if isinstance(urls, dict):
        return [address for value in urls.values() for address in addresses(value)]
    return [str(urls)]


def test_no_address_of_the_real_venue_is_left_when_another_is_configured() -> None:
    client = ccxt.pro.binance(ccxt_settings("sim", LOCAL, private=True))
    real = [address for address in addresses(client.urls["api"]) if "127.0.0.1" not in address]
    assert real == []


def test_addresses_lead_to_the_configured_venue() -> None:
    api = ccxt.pro.binance(ccxt_settings("sim", LOCAL, private=False)).urls["api"]
    assert api["public"] == "http://127.0.0.1:8900/api/v3"
    assert api["ws"]["spot"] == "ws://127.0.0.1:8900/stream/ws"
    assert api["ws"]["ws-api"]["spot"] == "ws://127.0.0.1:8900/ws-api/v3"


def test_real_venue_keeps_its_addresses_and_its_rate_limit() -> None:
    settings = ccxt_settings("binance", VenueConfig(), private=False)
    assert "urls" not in settings
    assert settings["enableRateLimit"] is True


def test_keys_go_in_only_where_they_are_needed() -> None:
    assert "apiKey" not in ccxt_settings("sim", LOCAL, private=False)
    private = ccxt_settings("sim", LOCAL, private=True)
    assert (private["apiKey"], private["secret"]) == ("k", "s")


def test_missing_key_is_named_with_its_variable() -> None:
    with pytest.raises(ConfigError, match=r"venues\.sim\.api_key.*ARES_VENUES__SIM__API_KEY"):
        ccxt_settings("sim", VenueConfig(), private=True)
