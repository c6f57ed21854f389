"""OKX swaps: what their frames and answers have beyond spot's. Pure; only `MalformedFrame` comes out.

Amounts stay contracts here; `ingest.contracts` turns them. Field names:
https://www.okx.com/docs-v5/en/#public-data-websocket-funding-rate-channel and #public-data-websocket-mark-price-channel
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec

from ares.clock import NANOS_PER_MILLI
from ares.errors import MalformedFrame
from ares.model.market import ContractKind, Funding, Instrument
from ingest.funding import FundingUpdate
from ingest.venues.okx.decoder import Topic
from ingest.venues.wire import Millis, Names, Wire, Word, exact

FACTOR_MIN, FACTOR_MAX = Decimal("1E-5"), Decimal("1E9")


class Rate(msgspec.Struct, rename="camel", gc=False):
    """A row of `funding-rate`: what will be paid at `funding_time`."""

    funding_rate: float
    funding_time: Millis
    ts: Millis


class Mark(msgspec.Struct, rename="camel", gc=False):
    """A row of `mark-price`."""

    mark_px: float
    ts: Millis


class Rates(msgspec.Struct, gc=False):
    """A message of `funding-rate`."""

    arg: Topic
    data: Annotated[list[Rate], msgspec.Meta(min_length=1)]


class Marks(msgspec.Struct, gc=False):
    """A message of `mark-price`."""

    arg: Topic
    data: Annotated[list[Mark], msgspec.Meta(min_length=1)]


class Headed(msgspec.Struct, gc=False):
    """Any message of data."""

    arg: Topic


class Payment(msgspec.Struct, rename="camel", gc=False):
    """A row of REST `funding-rate-history`; its `fundingRate` is what was predicted last."""

    realized_rate: float
    funding_time: Millis


class Listing(msgspec.Struct, rename="camel"):
    """A swap of `instruments`: a contract is `ct_val` × `ct_mult` of the base or, inverse, of the quote currency."""

    inst_id: Word
    ct_type: ContractKind
    ct_val: Decimal
    ct_mult: Decimal
    tick_sz: Decimal
    lot_sz: Decimal
    state: str = ""


FUNDING_FIELDS = {"fundingRate": "rate", "realizedRate": "rate", "fundingTime": "funding_at", "markPx": "mark_price"}
FUNDING_FIELDS |= {"instId": "symbol"}
LISTING_FIELDS = {"ctVal": "contract_size", "ctMult": "contract_size", "ctType": "contract"}
LISTING_FIELDS |= {"tickSz": "price_tick", "lotSz": "amount_step"}

HEADED = Wire(Headed, FUNDING_FIELDS)
RATES, MARKS = Wire(Rates, FUNDING_FIELDS), Wire(Marks, FUNDING_FIELDS)
PAYMENT = Wire(Payment, FUNDING_FIELDS)
LISTING = Wire(Listing, LISTING_FIELDS)


def decode_funding(payload: object, names: Names, received_at_ns: int) -> list[FundingUpdate]:
    """A frame of `funding-rate` or of `mark-price`, which share a line."""
    topic = HEADED.read(payload).arg
    symbol = names.symbol(topic.inst_id)
    if topic.channel == "funding-rate":
        return [
            FundingUpdate(
                venue=names.venue,
                symbol=symbol,
                ts_ns=row.ts * NANOS_PER_MILLI,
                received_at_ns=received_at_ns,
                rate=row.funding_rate,
                funding_at_ns=row.funding_time * NANOS_PER_MILLI,
            )
            for row in RATES.read(payload).data
        ]
    if topic.channel != "mark-price":
        raise MalformedFrame("channel", "neither funding-rate nor mark-price")
    return [
        FundingUpdate(
            venue=names.venue,
            symbol=symbol,
            ts_ns=row.ts * NANOS_PER_MILLI,
            received_at_ns=received_at_ns,
            mark_price=row.mark_px,
            confirms_rate=False,
        )
        for row in MARKS.read(payload).data
    ]


def decode_payment(payload: object, venue: str, symbol: str, received_at_ns: int) -> Funding:
    """A row of REST `funding-rate-history`."""
    row = PAYMENT.read(payload)
    ts_ns = row.funding_time * NANOS_PER_MILLI
    return Funding(venue, symbol, "settled", row.realized_rate, None, None, ts_ns, ts_ns, received_at_ns)


def decode_swap(payload: object, venue: str, symbol: str, fees: tuple[Decimal, Decimal]) -> Instrument:
    """A swap of `instruments`; ours is the name of its currencies ("BTC/USD:BTC"), for the venue leaves them empty."""
    listing = LISTING.read(payload)
    base, _, quote = symbol.partition(":")[0].partition("/")
    size = factor(listing.ct_val) * factor(listing.ct_mult)
    step = exact(listing.lot_sz, "amount_step") * size if listing.ct_type == "linear" else Decimal(0)
    return Instrument(
        venue,
        symbol,
        listing.inst_id,
        base,
        quote,
        exact(listing.tick_sz, "price_tick"),
        step,
        Decimal(0),
        *fees,
        active=listing.state == "live",
        contract=listing.ct_type,
        contract_size=size,
    )


def factor(value: Decimal) -> Decimal:
    """A part of a contract's size, within what the store can hold. Raises `MalformedFrame`."""
    exact(value, "contract_size")
    if not FACTOR_MIN <= value <= FACTOR_MAX:
        raise MalformedFrame("contract_size", f"not between {FACTOR_MIN} and {FACTOR_MAX}")
    return value
