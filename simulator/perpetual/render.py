"""What the streams of perpetuals say beyond spot's: times in every frame, and books that name the change before."""

from __future__ import annotations

from simulator.book import AggEvent, DepthEvent, QuoteEvent, TradeEvent
from simulator.perpetual.market import Perpetuals
from simulator.perpetual.rows import money
from simulator.pump import Frames
from simulator.recording import to_text
from simulator.render import agg_frame, levels_text, trade_frame
from simulator.series import Series

NOT_THERE = b',"M":true'
"""A flag that only spot's trades have."""


def _trade(series: Series, event: TradeEvent) -> bytes:
    return trade_frame(series, event).replace(NOT_THERE, b"").replace(b',"m":', b',"X":"MARKET","m":')


def _agg(series: Series, event: AggEvent) -> bytes:
    return agg_frame(series, event).replace(NOT_THERE, b"")


def _quote(series: Series, event: QuoteEvent) -> bytes:
    decimals = series.recording.price_decimals
    return (
        f'{{"e":"bookTicker","u":{event.update_id},"s":"{series.symbol}","b":"{to_text(event.bid, decimals)}",'
        f'"B":"{event.bid_amount}","a":"{to_text(event.ask, decimals)}","A":"{event.ask_amount}",'
        f'"T":{event.sent_ms},"E":{event.sent_ms}}}'
    ).encode()


def _depth(series: Series, event: DepthEvent) -> bytes:
    decimals = series.recording.price_decimals
    return (
        f'{{"e":"depthUpdate","E":{event.sent_ms},"T":{event.sent_ms},"s":"{series.symbol}","U":{event.first_id},'
        f'"u":{event.last_id},"pu":{event.first_id - 1},"b":{levels_text(event.bids, decimals)},'
        f'"a":{levels_text(event.asks, decimals)}}}'
    ).encode()


FRAMES = Frames(_trade, _agg, _quote, _depth)


def mark_event(perpetuals: Perpetuals, symbol: str, now_ms: int) -> dict[str, object]:
    """`<symbol>@markPrice`: mark and index price, and the rate that will be paid next."""
    mark = money(perpetuals.mark(symbol, now_ms))
    return {
        "e": "markPriceUpdate",
        "E": now_ms,
        "s": symbol,
        "p": mark,
        "ap": mark,
        "i": mark,
        "P": mark,
        "r": money(perpetuals.funding.rate),
        "T": perpetuals.funding.next_ms(now_ms),
    }
