"""`ares trader preview`, `order` and `amend`: orders by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, cast
from uuid import uuid4

import typer

from ares.commands.output import console, print_rows
from ares.model.strategies import MANUAL
from trader.cli import Json, command, print_json
from trader.client import Answer

ORDER_S_MAX = 30.0

Symbol = Annotated[str, typer.Argument(help="What: BTC/USDT")]
Side = Annotated[str, typer.Argument(help="buy or sell")]
Quantity = Annotated[str, typer.Argument(help="How much, in base: 0.001")]
Price = Annotated[str, typer.Option(help="Limit in quote; it is waited for. Without: at once, as the strategies do.")]
Strategy = Annotated[str, typer.Option(help="Whose position it is.")]


def preview(
    symbol: Symbol,
    side: Side,
    quantity: Quantity,
    *,
    price: Price = "",
    strategy: Strategy = MANUAL,
    json: Json = False,
) -> None:
    """What every rule says to an order; nothing is sent. Example: ares trader preview BTC/USDT buy 0.001"""
    wish = {"symbol": symbol, "side": side, "quantity": quantity, "price": price, "strategy": strategy}
    answer = command("preview", "", ORDER_S_MAX, **wish)
    if json:
        print_json(answer)
        return
    would = "would be sent" if answer["would_send"] else "would not be sent"
    if answer["order_under_way"]:
        would += f", for order {answer['order_under_way']} is under way"
    console.print(f"{_order(answer)}: {would}; the trader is {answer['state']}", soft_wrap=True)
    console.print(
        f"in quote: cost {answer['cost_quote']}, at worst {answer['cost_quote_worst']}, "
        f"fee about {answer['fee_quote']}; mark {answer['mark']}, {answer['quote_age_s']} s old",
        soft_wrap=True,
    )
    print_rows(cast("Sequence[Mapping[str, object]]", answer["rules"]), json=False, title="Rules")
    _warn(answer)


def order(
    symbol: Symbol,
    side: Side,
    quantity: Quantity,
    *,
    reason: Annotated[str, typer.Option(help="Why; it goes into the record.")],
    price: Price = "",
    strategy: Strategy = MANUAL,
    key: Annotated[str, typer.Option("--id", help="Names the order: asked for again it is the same one.")] = "",
    json: Json = False,
) -> None:
    """Send an order through the rules. Example: ares trader order BTC/USDT buy 0.001 --reason "hedge" --id hedge-1"""
    wish = {"symbol": symbol, "side": side, "quantity": quantity, "price": price, "strategy": strategy}
    answer = command("order", reason, ORDER_S_MAX, **wish, id=key or uuid4().hex)
    if json:
        print_json(answer)
    else:
        console.print(_outcome(answer), soft_wrap=True)
        _warn(answer)
    if not answer["sent"]:
        raise typer.Exit(1)


def amend(
    order_id: Annotated[str, typer.Argument(help="As `ares trader status` lists it.")],
    *,
    reason: Annotated[str, typer.Option(help="Why; it goes into the record.")],
    quantity: Annotated[str, typer.Option(help="How much in all, in base, what was filled included.")] = "",
    price: Annotated[str, typer.Option(help="Limit in quote.")] = "",
    json: Json = False,
) -> None:
    """Change an order that stands. Example: ares trader amend ares0123…cdef --quantity 0.001 --reason "smaller" """
    answer = command("amend", reason, ORDER_S_MAX, order_id=order_id, quantity=quantity, price=price)
    if json:
        print_json(answer)
    else:
        if answer.get("cancelled"):
            console.print(f"{order_id} is cancelled, {answer['replaced_filled']} of it was filled", soft_wrap=True)
        console.print(_outcome(answer), soft_wrap=True)
        _warn(answer)
    if not answer["sent"]:
        raise typer.Exit(1)


def _warn(answer: Answer) -> None:
    for each in cast("Sequence[Mapping[str, object]]", answer.get("warnings", ())):
        console.print(
            f"near a limit: {each['rule']} saw {each['observed']} {each['unit']}, it warns from {each['soft']}"
        )


def _order(answer: Answer) -> str:
    price = f" at {answer['price']}" if answer.get("price") else " at market"
    return f"{answer['side']} {answer['quantity']} {answer['symbol']}{price} for {answer['strategy']}"


def _outcome(answer: Answer) -> str:
    what = _order(answer)
    if answer["action"] == "refuse":
        if answer["observed"] is None:
            return f"refused: {what}: {answer['reason']}"
        seen = f"{answer['rule']} saw {answer['observed']} {answer['unit']}"
        return f"refused: {what}: {seen}, allowed are {answer['limit']}"
    if answer["action"] == "skip":
        return f"not sent: {what}: {answer['reason']}"
    if answer.get("kept_place") is not None:
        done = "amended, its place in the queue kept" if answer["kept_place"] else f"not amended: {answer['reason']}"
        return f"{answer['state']}: {what}, order {answer['order_id']}: {done}"
    again = ", as asked for before" if answer["repeated"] else ""
    why = f": {answer['reason']}" if answer["reason"] else ""
    return (
        f"{answer['state']}: {what}{again}, order {answer['order_id']}, filled {answer['filled']} for "
        f"{answer['filled_cost']} quote{why}"
    )
