"""Tables as HTML: rows of a collection, written for people. Pure; whatever a cell holds is escaped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from enum import StrEnum
from urllib.parse import quote

from markupsafe import Markup, escape

from api.console.formats import MONEY_PLACES, NONE, Precision, duration, figure, moment, number, share
from ares.store import Record, Value


class Form(StrEnum):
    """How a cell is written. Figures are aligned right. HTML: `Markup` as it is; any other text is escaped as ever."""

    TEXT = "text"
    CODE = "code"
    WORD = "word"
    PRICE = "price"
    AMOUNT = "amount"
    MONEY = "money"
    SIGNED = "signed"
    SHARE = "share"
    RATIO = "ratio"
    FIGURE = "figure"
    WHOLE = "whole"
    SECONDS = "seconds"
    TIME = "time"
    SIDE = "side"
    STATE = "state"
    FLAG = "flag"
    HTML = "html"


_RIGHT = {
    Form.PRICE, Form.AMOUNT, Form.MONEY, Form.SIGNED, Form.SHARE, Form.RATIO, Form.FIGURE, Form.WHOLE,
    Form.SECONDS, Form.TIME,
}  # fmt: skip
_TONES = {
    "good": "ok active filled running succeeded done ready champion approved healed traded fresh equal promoted",
    "bad": "halted failed rejected crashed fail error lost critical refused refuse expired stopped revoked rolled_back",
    "warn": "reducing warn warning stale pending asked unknown partially_filled open missed paused restarting",
}
_TONE_OF = {word: tone for tone, words in _TONES.items() for word in words.split()}


_UNHEADED = Markup('<span class="unseen">Actions</span>')


@dataclass(frozen=True, slots=True)
class Col:
    """A column: the cell of a row it shows, under which heading. `link`: where it leads, with {cells} of the row."""

    name: str
    head: str
    form: Form = Form.TEXT
    link: str = ""


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom it is written."""

    zone: tzinfo = UTC
    precision: Precision = field(default_factory=Precision)
    now_ns: int | None = None
    root: str = "/console"


def table(caption: str, columns: Sequence[Col], rows: Iterable[Record], reader: Reader, *, empty: str = "") -> Markup:
    """A table, with its caption for who cannot see the heading above; without rows the words of `empty`."""
    body = Markup("").join(_row(columns, row, reader) for row in rows)
    if not body:
        return nothing(empty or f"No {caption.lower()}.")
    head = heads(columns)
    return Markup(
        '<div class="scrolls" tabindex="0" role="region" aria-label="{}"><table><caption class="unseen">{}</caption>'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
    ).format(caption, caption, head, body)


def heads(columns: Sequence[Col]) -> Markup:
    """The cells above the columns."""
    return Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(_aligned(column), column.head or _UNHEADED) for column in columns
    )


def is_figure(column: Col) -> bool:
    """Whether its cells are aligned right."""
    return column.form in _RIGHT


def nothing(words: str) -> Markup:
    """What stands where there is nothing to show."""
    return Markup('<p class="empty">{}</p>').format(words)


def facts(pairs: Iterable[tuple[str, str | Markup]]) -> Markup:
    """Names and what they are now."""
    each = Markup("").join(Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(name, what) for name, what in pairs)
    return Markup('<dl class="facts">{}</dl>').format(each)


def badge(word: str) -> Markup:
    """A state: its word, and a colour that says the same; what follows a comma is beside it."""
    tone = _TONE_OF.get(word.partition(",")[0].lower().replace(" ", "_"), "plain")
    return Markup('<span class="badge {}">{}</span>').format(tone, word or NONE)


def signed(value: Value, decimals: int = MONEY_PLACES) -> Markup:
    """A figure that is good above 0 and bad below: by its sign, and by colour."""
    text = number(value, decimals, sign=True)
    tone = "down" if text.startswith("−") else "up" if text.startswith("+") else ""
    return Markup('<span class="{}">{}</span>').format(tone, text)


def link(href: str, text: str | Markup) -> Markup:
    """A link within the console."""
    return Markup('<a href="{}">{}</a>').format(href, text)


def _row(columns: Sequence[Col], row: Record, reader: Reader) -> Markup:
    shown = Markup("").join(
        Markup("<td{}>{}</td>").format(_aligned(column), cell(column, row, reader)) for column in columns
    )
    return Markup("<tr>{}</tr>").format(shown)


def _aligned(column: Col) -> Markup:
    return Markup(' class="right"') if is_figure(column) else Markup("")


def cell(column: Col, row: Record, reader: Reader) -> Markup:
    """What is in the cell of a row."""
    shown = written(column.form, row.get(column.name), row, reader)
    if column.link and row.get(column.name) not in (None, ""):
        where = column.link.format_map({name: quote(str(value), safe="") for name, value in row.items()})
        return link(f"{reader.root}/{where}", shown)
    return shown


def written(form: Form, value: Value, row: Record, reader: Reader) -> Markup:
    """A cell for people."""
    if value is None or value == "":
        return escape(NONE)
    return escape(_FORMS[form](value, row, reader))


def _price(value: Value, row: Record, reader: Reader) -> str:
    return number(value, reader.precision.steps(row.get("venue"), row.get("symbol")).price)


def _amount(value: Value, row: Record, reader: Reader) -> str:
    return number(value, reader.precision.steps(row.get("venue"), row.get("symbol")).amount)


def _time(value: Value, _: Record, reader: Reader) -> Markup:
    return Markup('<time class="moment">{}</time>').format(moment(value, reader.zone, now_ns=reader.now_ns))


def _side(value: Value, _: Record, __: Reader) -> Markup:
    return Markup('<span class="{}">{}</span>').format("up" if value == "buy" else "down", value)


def _word(value: Value, _: Record, __: Reader) -> str:
    return str(value).replace("_", " ")


_FORMS: Mapping[Form, Callable[[Value, Record, Reader], str | Markup]] = {
    Form.TEXT: lambda value, _, __: str(value),
    Form.CODE: lambda value, _, __: Markup("<code>{}</code>").format(value),
    Form.WORD: _word,
    Form.PRICE: _price,
    Form.AMOUNT: _amount,
    Form.MONEY: lambda value, _, __: number(value, MONEY_PLACES),
    Form.SIGNED: lambda value, _, __: signed(value),
    Form.SHARE: lambda value, _, __: share(value),
    Form.RATIO: lambda value, _, __: number(value, 3),
    Form.FIGURE: lambda value, _, __: figure(value),
    Form.WHOLE: lambda value, _, __: number(value, 0),
    Form.SECONDS: lambda value, _, __: duration(value),
    Form.TIME: _time,
    Form.SIDE: _side,
    Form.STATE: lambda value, _, __: badge(str(value)),
    Form.FLAG: lambda value, _, __: "yes" if value else "no",
    Form.HTML: lambda value, _, __: value if isinstance(value, Markup) else str(value),
}
