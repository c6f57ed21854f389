"""A moving-average cross by NautilusTrader on a tape of trades: JSON of its processor time and orders for each line asked.

The venue and the account are told as simply as they can be: spot, cash, one netted position, no analysis, no log.
"""

import json
import sys
import time
from decimal import Decimal

import numpy as np
import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.indicators import ExponentialMovingAverage
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CurrencyPair
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import TradeTickDataWrangler
from nautilus_trader.trading.strategy import Strategy

tape, size, fee, cash = np.load(sys.argv[1]), float(sys.argv[2]), Decimal(sys.argv[3]), Decimal(sys.argv[4])
VENUE = Venue("SIM")
PAIR = CurrencyPair(
    instrument_id=InstrumentId(Symbol("BTCUSDT"), VENUE), raw_symbol=Symbol("BTCUSDT"), base_currency=BTC,
    quote_currency=USDT, price_precision=2, size_precision=5, price_increment=Price.from_str("0.01"),
    size_increment=Quantity.from_str("0.00001"), ts_event=0, ts_init=0, maker_fee=fee, taker_fee=fee,
)


class Config(StrategyConfig, frozen=True):
    quick: int
    slow: int


class Cross(Strategy):
    """In the market while the quick average lies above the slow one."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.quick, self.slow = ExponentialMovingAverage(config.quick), ExponentialMovingAverage(config.slow)
        self.held, self.lot = False, None

    def on_start(self) -> None:
        self.subscribe_trade_ticks(PAIR.id)

    def on_trade_tick(self, tick) -> None:
        price = tick.price.as_double()
        self.quick.update_raw(price)
        self.slow.update_raw(price)
        wanted = self.quick.value > self.slow.value
        if wanted != self.held:
            self.held = wanted
            if wanted:
                self.lot = PAIR.make_qty(size / price, round_down=True)
            side = OrderSide.BUY if wanted else OrderSide.SELL
            self.submit_order(self.order_factory.market(PAIR.id, side, self.lot))


def ticks(count: int) -> list:
    frame = pd.DataFrame(
        {"price": tape["price"][:count], "quantity": tape["amount"][:count], "buyer_maker": tape["sold"][:count],
         "trade_id": np.arange(count).astype(str)},
        index=pd.to_datetime(tape["ts"][:count], utc=True),
    )
    return TradeTickDataWrangler(PAIR).process(frame)


def play(count: int, quick: int, slow: int) -> dict:
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False))
    engine.add_venue(VENUE, OmsType.NETTING, AccountType.CASH, [Money(cash, USDT)], base_currency=None)
    engine.add_instrument(PAIR)
    engine.add_data(ticks(count))
    engine.add_strategy(Cross(Config(quick=quick, slow=slow)))
    wall, began = time.perf_counter(), time.process_time()
    engine.run()
    spent, wall = time.process_time() - began, time.perf_counter() - wall
    filled = sum(order.is_closed for order in engine.cache.orders())
    account, last = engine.portfolio.account(VENUE), float(tape["price"][count - 1])
    coins = account.balance_total(BTC)
    worth = account.balance_total(USDT).as_double() + (0.0 if coins is None else coins.as_double()) * last
    engine.dispose()
    return {"s": spent, "wall_s": wall, "orders": filled, "profit": worth - float(cash)}


print("ready", flush=True)
for line in sys.stdin:
    print(json.dumps(play(*map(int, line.split()))), flush=True)
