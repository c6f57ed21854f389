"""The venue's wire format: what REST answers and streams send, from the replayed market."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from simulator.bars import Candle
from simulator.book import AggEvent, DepthEvent, QuoteEvent, TradeEvent
from simulator.recording import to_text
from simulator.series import Series

Text = Callable[[int], str]


def trade_frame(series: Series, event: TradeEvent) -> bytes:
    """`<symbol>@trade`."""
    tape, i = series.recording.trades, event.index
    number = event.segment.index * len(tape) + i + 1
    price = to_text(event.segment.price(int(tape.price[i])), series.recording.price_decimals)
    maker = "true" if bool(tape.buyer_is_maker[i]) != event.segment.mirrored else "false"
    return (
        f'{{"e":"trade","E":{event.sent_ms},"s":"{series.symbol}","t":{number},"p":"{price}",'
        f'"q":"{tape.amount_text[i]}","T":{event.segment.start_ms + int(tape.at_ms[i])},"m":{maker},"M":true}}'
    ).encode()


def agg_frame(series: Series, event: AggEvent) -> bytes:
    """`<symbol>@aggTrade`: the row of REST with the words of an event around it."""
    number = event.segment.index * series.aggs_per_segment + event.index + 1
    row = next(_agg_rows(series, number, number))
    return f'{{"e":"aggTrade","E":{event.sent_ms},"s":"{series.symbol}",{row[1:]}'.encode()


def quote_frame(series: Series, event: QuoteEvent) -> bytes:
    """`<symbol>@bookTicker`; it carries no time, as at the venue."""
    decimals = series.recording.price_decimals
    return (
        f'{{"u":{event.update_id},"s":"{series.symbol}","b":"{to_text(event.bid, decimals)}",'
        f'"B":"{event.bid_amount}","a":"{to_text(event.ask, decimals)}","A":"{event.ask_amount}"}}'
    ).encode()


def depth_frame(series: Series, event: DepthEvent) -> bytes:
    """`<symbol>@depth`."""
    decimals = series.recording.price_decimals
    return (
        f'{{"e":"depthUpdate","E":{event.sent_ms},"s":"{series.symbol}","U":{event.first_id},"u":{event.last_id},'
        f'"b":{levels_text(event.bids, decimals)},"a":{levels_text(event.asks, decimals)}}}'
    ).encode()


def levels_text(levels: Iterable[tuple[int, str]], decimals: int) -> str:
    """Levels as JSON: [["61837.63000000","3.78826000"],…]."""
    return "[" + ",".join(f'["{to_text(price, decimals)}","{amount}"]' for price, amount in levels) + "]"


def agg_rows(series: Series, first_id: int, last_id: int) -> bytes:
    """Aggregate trades as `GET /api/v3/aggTrades` answers them."""
    return ("[" + ",".join(_agg_rows(series, first_id, last_id)) + "]").encode()


def _agg_rows(series: Series, first_id: int, last_id: int) -> Iterator[str]:
    aggs, trades, decimals = series.recording.aggs, series.recording.trades, series.recording.price_decimals
    for piece in series.agg_pieces(first_id, last_id):
        segment = piece.segment
        base = segment.index * len(trades) + 1
        first = aggs.first[piece.start : piece.stop]
        yield from (
            f'{{"a":{number},"p":"{to_text(price, decimals)}","q":"{amount}","f":{base + f},"l":{base + last},'
            f'"T":{segment.start_ms + at_ms},"m":{"true" if maker != segment.mirrored else "false"},"M":true}}'
            for number, price, amount, f, last, at_ms, maker in zip(
                range(piece.first_id, piece.first_id + piece.stop - piece.start),
                segment.prices(trades.price[first]).tolist(),
                aggs.amount_text[piece.start : piece.stop],
                first.tolist(),
                aggs.last[piece.start : piece.stop].tolist(),
                aggs.at_ms[piece.start : piece.stop].tolist(),
                trades.buyer_is_maker[first].tolist(),
                strict=True,
            )
        )


def trade_rows(series: Series, first_id: int, last_id: int) -> list[dict[str, object]]:
    """Trades as `GET /api/v3/trades` answers them."""
    tape, recording = series.recording.trades, series.recording
    cost_decimals = recording.price_decimals + recording.amount_decimals
    rows: list[dict[str, object]] = []
    for piece in series.trade_pieces(first_id, last_id):
        for i in range(piece.start, piece.stop):
            price = piece.segment.price(int(tape.price[i]))
            rows.append(
                {
                    "id": piece.first_id + i - piece.start,
                    "price": to_text(price, recording.price_decimals),
                    "qty": tape.amount_text[i],
                    "quoteQty": to_text(price * int(tape.amount[i]), cost_decimals),
                    "time": piece.segment.start_ms + int(tape.at_ms[i]),
                    "isBuyerMaker": bool(tape.buyer_is_maker[i]) != piece.segment.mirrored,
                    "isBestMatch": True,
                }
            )
    return rows


def kline_row(series: Series, candle: Candle, step_ms: int) -> list[object]:
    """One bar as `GET /api/v3/klines` answers it: twelve fields."""
    price, amount, cost = _texts(series)
    return [
        candle.start_ms,
        price(candle.open),
        price(candle.high),
        price(candle.low),
        price(candle.close),
        amount(candle.amount),
        candle.start_ms + step_ms - 1,
        cost(candle.cost),
        candle.count,
        amount(candle.buy_amount),
        cost(candle.buy_cost),
        "0",
    ]


def kline_event(
    series: Series, candle: Candle, interval: str, step_ms: int, state: tuple[int, bool]
) -> dict[str, object]:
    """`<symbol>@kline_<interval>`; `state` is when it is sent and whether the bar is closed."""
    sent_ms, closed = state
    row = kline_row(series, candle, step_ms)
    bar = dict(zip(("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q", "B"), row, strict=True))
    bar |= {"s": series.symbol, "i": interval, "f": candle.first_id, "L": candle.last_id, "x": closed}
    return {"e": "kline", "E": sent_ms, "s": series.symbol, "k": bar}


def mini_ticker_event(series: Series, day: Candle, sent_ms: int) -> dict[str, object]:
    """`<symbol>@miniTicker`: the last 24 hours."""
    price, amount, cost = _texts(series)
    return {
        "e": "24hrMiniTicker",
        "E": sent_ms,
        "s": series.symbol,
        "c": price(day.close),
        "o": price(day.open),
        "h": price(day.high),
        "l": price(day.low),
        "v": amount(day.amount),
        "q": cost(day.cost),
    }


def day_ticker_row(series: Series, day: Candle, quote: QuoteEvent, close_ms: int) -> dict[str, object]:
    """One symbol of `GET /api/v3/ticker/24hr`."""
    price, amount, cost = _texts(series)
    average = day.cost // day.amount if day.amount else day.close  # ticks × steps ÷ steps: ticks, cut off
    return {
        "symbol": series.symbol,
        "priceChange": _signed(price, day.close - day.open),
        "priceChangePercent": f"{(day.close - day.open) / (day.open or 1) * 100:.3f}",
        "weightedAvgPrice": price(average),
        "prevClosePrice": price(day.open),
        "lastPrice": price(day.close),
        "lastQty": amount(_last_amount(series, day.last_id)),
        "bidPrice": price(quote.bid),
        "bidQty": quote.bid_amount,
        "askPrice": price(quote.ask),
        "askQty": quote.ask_amount,
        "openPrice": price(day.open),
        "highPrice": price(day.high),
        "lowPrice": price(day.low),
        "volume": amount(day.amount),
        "quoteVolume": cost(day.cost),
        "openTime": day.start_ms,
        "closeTime": close_ms,
        "firstId": day.first_id,
        "lastId": day.last_id,
        "count": day.count,
    }


def _signed(text: Text, value: int) -> str:
    return text(value) if value >= 0 else f"-{text(-value)}"


def _last_amount(series: Series, trade_id: int) -> int:
    for piece in series.trade_pieces(trade_id, trade_id):
        return int(series.recording.trades.amount[piece.start])
    return 0


def _texts(series: Series) -> tuple[Text, Text, Text]:
    prices, amounts = series.recording.price_decimals, series.recording.amount_decimals
    return (
        lambda ticks: to_text(ticks, prices),
        lambda steps: to_text(steps, amounts),
        lambda cost: to_text(cost, prices + amounts),
    )
