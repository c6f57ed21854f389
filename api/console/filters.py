"""Forms that ask for a part of what there is, and the way to what is older: plain, by address. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from markupsafe import Markup

from api.console.view import ROOT


class Filter(NamedTuple):
    """A field of the address; with `among`: one of these values, or none."""

    name: str
    label: str
    among: Sequence[str] = ()


def form(path: str, filters: Sequence[Filter], asked: Mapping[str, str]) -> Markup:
    """What may be asked for, with what is."""
    fields = Markup("").join(
        Markup("<label>{}{}</label>").format(each.label, _field(each, asked.get(each.name, ""))) for each in filters
    )
    return Markup(
        '<form class="filters" method="get" action="{}/{}">{}<button type="submit" class="plain">Show</button></form>'
    ).format(ROOT, path, fields)


def older(path: str, asked: Mapping[str, str], cursor: str) -> Markup:
    """The way to the page after this one; nothing where there is none."""
    if not cursor:
        return Markup("")
    kept = {name: value for name, value in asked.items() if value}
    return Markup('<p class="older"><a href="{}/{}?{}">Older</a></p>').format(
        ROOT, path, urlencode({**kept, "cursor": cursor})
    )


def _field(each: Filter, value: str) -> Markup:
    if not each.among:
        return Markup('<input name="{}" value="{}" maxlength="200" autocomplete="off">').format(each.name, value)
    options = Markup("").join(
        Markup('<option value="{}"{}>{}</option>').format(
            one, Markup(" selected") if one == value else "", one or "all"
        )
        for one in ("", *each.among)
    )
    return Markup('<select name="{}">{}</select>').format(each.name, options)
