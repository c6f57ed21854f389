"""All symbols of the exchange: their series, where their replay is now, and what orders must obey."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from pathlib import Path

from ares.errors import ConfigError
from simulator.bars import DAY_MS, Candle, Grid, candles, last_price
from simulator.book import Replay
from simulator.clock import MarketClock
from simulator.matching.types import ZERO, DisplayedBook, Refusal, Rules
from simulator.recording import Recording, load_recording, to_text
from simulator.series import Series

BUNDLED = ("spot_btcusdt_20240808.gz", "spot_ethusdt_20240808.gz")
BUNDLED_PERPETUALS = ("usdm_btcusdt_20240718.gz", "usdm_ethusdt_20240718.gz")
PACKAGE = Path(__file__).resolve().parent
Source = Path | Recording
QUOTES = ("USDT", "USDC", "FDUSD", "TUSD", "BUSD", "BTC", "ETH", "BNB", "EUR", "TRY", "BRL")
RENAME = "#"
"""`file.gz#SOLUSDT` plays a recording as another symbol: more symbols are more load."""


@dataclass(frozen=True, slots=True)
class Fees:
    """Shares of the asset received."""

    maker: Decimal
    taker: Decimal


class Market:
    """The replayed markets of an exchange, by the venue's symbol."""

    def __init__(self, series: Iterable[Series], clock: MarketClock, fees: Fees) -> None:
        self.clock = clock
        self.replays = {one.symbol: Replay(one) for one in series}
        self.rules = {symbol: rules_of(replay.series, fees) for symbol, replay in self.replays.items()}
        self._last: dict[str, Decimal] = {}

    @property
    def symbols(self) -> list[str]:
        return list(self.replays)

    def series(self, symbol: str) -> Series:
        """Raises the venue's `Refusal` for a symbol it does not list."""
        return self.replay(symbol).series

    def replay(self, symbol: str) -> Replay:
        """Raises the venue's `Refusal` for a symbol it does not list."""
        found = self.replays.get(symbol)
        if found is None:
            raise Refusal(-1121, "Invalid symbol.")
        return found

    def require_open(self, symbol: str) -> None:
        """A recording never rests. Raises the venue's `Refusal` for a symbol it does not list."""
        self.replay(symbol)

    def book(self, symbol: str) -> DisplayedBook:
        """What is displayed, and the price of the last trade. Raises `Refusal`."""
        replay = self.replay(symbol)
        last = self._last.get(symbol)
        if last is None:
            ticks = last_price(replay.series, replay.series.trades_sent(self.clock.now_ms()))
            last = ZERO if ticks is None else self._price(symbol, ticks)
        return replace(replay.displayed(), last=last)

    def traded(self, symbol: str, price: Decimal) -> None:
        """The price of the trade that was played last."""
        self._last[symbol] = price

    def extremes(self, symbol: str, start_ms: int, end_ms: int) -> tuple[Decimal, Decimal] | None:
        """Lowest and highest price from the tape; None when nothing was traded."""
        bar = self.span(symbol, start_ms, end_ms)
        return None if bar is None else (self._price(symbol, bar.low), self._price(symbol, bar.high))

    def seek(self) -> None:
        """Start the replays at market time now."""
        now_ms = self.clock.now_ms()
        for replay in self.replays.values():
            replay.seek(now_ms)

    def day(self, symbol: str, now_ms: int) -> Candle:
        """The last 24 hours as one bar."""
        start_ms = now_ms - DAY_MS + 1
        return self.span(symbol, start_ms, now_ms) or Candle(start_ms, 0, 0, 0, 0)

    def span(self, symbol: str, start_ms: int, now_ms: int) -> Candle | None:
        """What was traded from `start_ms` until now as one bar; None when nothing ever was."""
        grid = Grid(max(1, now_ms - start_ms + 1), start_ms)
        found = candles(self.series(symbol), grid, start_ms, start_ms + 1, now_ms)
        return found[0] if found else None

    def _price(self, symbol: str, ticks: int) -> Decimal:
        return Decimal(to_text(ticks, self.replays[symbol].series.recording.price_decimals))


def load_market(
    sources: Sequence[Source], seed: int, clock: MarketClock, fees: Fees, *, perpetual: bool = False
) -> Market:
    """Read the recordings (the bundled ones if none are named). Raises `ConfigError` for one that cannot be used."""
    series: dict[str, Series] = {}
    field = "simulator.perpetuals.recordings" if perpetual else "simulator.recordings"
    bundled = BUNDLED_PERPETUALS if perpetual else BUNDLED
    for source in sources or [_bundled(name) for name in bundled]:
        recording = source if isinstance(source, Recording) else _read(source)
        if recording.perpetual != perpetual:
            problem = "is of perpetuals" if recording.perpetual else "is of spot"
            way_out = "simulator.recordings takes spot, simulator.perpetuals.recordings USD-M futures"
            raise ConfigError(field, str(source), problem, way_out)
        if recording.symbol in series:
            problem = f"a second recording of {recording.symbol}"
            raise ConfigError(field, str(source), problem, "Rename it: file.gz#OTHERUSDT")
        series[recording.symbol] = Series(recording, seed)
    return Market(series.values(), clock, fees)


@cache
def _bundled(name: str) -> Recording:
    """Read once in a process, however many exchanges it opens: a recording never changes, and takes seconds to read."""
    return load_recording(PACKAGE / "recordings" / name)


def _read(path: Path) -> Recording:
    file, _, symbol = str(path).partition(RENAME)
    return load_recording(_located(Path(file)), symbol or None)


def rules_of(series: Series, fees: Fees) -> Rules:
    """The grid is the recording's own: the smallest price and amount differences it contains."""
    base, quote = split_symbol(series.symbol)
    return Rules(
        series.symbol,
        base,
        quote,
        tick=Decimal(1).scaleb(-series.recording.price_decimals),
        step=Decimal(1).scaleb(-series.recording.amount_decimals),
        maker_fee=fees.maker,
        taker_fee=fees.taker,
    )


def split_symbol(symbol: str) -> tuple[str, str]:
    """BTCUSDT → BTC, USDT. Raises `ConfigError` when no known quote currency ends it."""
    for quote in QUOTES:
        if symbol.endswith(quote) and len(symbol) > len(quote):
            return symbol[: -len(quote)], quote
    raise ConfigError("simulator.recordings", symbol, "its quote currency is not known", f"Known: {', '.join(QUOTES)}")


def opening_assets(rules: Mapping[str, Rules], balances: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """The configured balances and a zero for every other asset that is traded."""
    traded = {asset: Decimal(0) for rule in rules.values() for asset in (rule.base, rule.quote)}
    return traded | dict(balances)


def _located(path: Path) -> Path:
    """A relative path counts from the working directory, else from the checkout."""
    from_checkout = PACKAGE.parent / path
    return from_checkout if not path.exists() and from_checkout.exists() else path
