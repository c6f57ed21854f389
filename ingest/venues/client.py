"""ccxt's REST clients for public data, said in types: the raw endpoints of any venue, by their names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, cast

import ccxt.pro

from ares.config.settings import VenueConfig
from ares.resilience import to_the_end
from ingest.venues.errors import FOREIGN, translated
from ingest.venues.rest import Question, RestWords

Market = Mapping[str, object]


class RestClient(Protocol):
    """An exchange of ccxt, as far as all of them are alike."""

    last_response_headers: Mapping[str, str] | None

    def load_markets(self) -> Awaitable[Mapping[str, Market]]: ...
    def close(self) -> Awaitable[None]: ...


class Unified(Protocol):
    """A method of ccxt's that is the same at all exchanges."""

    def __call__(self, **params: object) -> Awaitable[object]: ...


def create_client(words: RestWords, config: VenueConfig) -> RestClient:
    """A new, unconnected client for public data."""
    settings: dict[str, object] = {
        "timeout": round(config.request_timeout_s * 1_000),
        "enableRateLimit": config.rest_url is None,
        "options": {
            "fetchMarkets": {"types": list(words.market_types)},
            "fetchCurrencies": False,
            "fetchMargins": False,
            "adjustForTimeDifference": False,
        },
    }
    if config.rest_url is not None:
        settings["urls"] = {"api": words.urls(config.rest_url.rstrip("/"))}
    factory = cast("Callable[[Mapping[str, object]], RestClient]", getattr(ccxt.pro, words.ccxt_id))
    return factory(settings)


async def ask(client: RestClient, question: Question) -> object:
    """The venue's answer, as parsed JSON. Raises `VenueUnavailable` or `VenueRejected`."""
    method: object = getattr(client, question.endpoint)
    try:
        if question.unified:
            return await cast("Unified", method)(**question.params)
        return await cast("Callable[[Mapping[str, object]], Awaitable[object]]", method)(question.params)
    except FOREIGN as error:
        raise translated(error, client.last_response_headers) from None


async def load_markets(client: RestClient) -> Mapping[str, Market]:
    """Everything the venue lists; the client then knows it, and is closed. Raises `VenueError`."""
    try:
        return await client.load_markets()
    except FOREIGN as error:
        raise translated(error, client.last_response_headers) from None
    finally:
        await to_the_end(client.close())
