"""Alerts as Alertmanager's webhook tells them, and Grafana's, which sends the same fields.

The payload is version 4 of Alertmanager's webhook:
https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson


@dataclass(frozen=True, slots=True)
class AlertTold:
    """One alert of a notification. `fingerprint` names its labels, `starts_at` this firing of it; "" if not given."""

    firing: bool
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    fingerprint: str
    starts_at: str
    ends_at: str

    @property
    def name(self) -> str:
        """What its rule is called."""
        return self.labels.get("alertname", "alert")

    @property
    def summary(self) -> str:
        """What it says in one sentence."""
        return self.annotations.get("summary", "")


def alerts_told(body: bytes) -> list[AlertTold]:
    """The alerts of a notification. Raises ValueError naming what is wrong."""
    given = orjson.loads(body)
    alerts = given.get("alerts") if isinstance(given, dict) else None
    if not isinstance(alerts, list):
        raise ValueError("alerts: a list is expected, as Alertmanager's webhook sends it")
    return [_alert(each, f"alerts[{number}]") for number, each in enumerate(alerts)]


def _alert(given: object, where: str) -> AlertTold:
    if not isinstance(given, dict):
        raise ValueError(f"{where}: an object is expected")
    return AlertTold(
        firing=given.get("status") == "firing",
        labels=_words(given, "labels", where),
        annotations=_words(given, "annotations", where),
        fingerprint=_word(given, "fingerprint"),
        starts_at=_word(given, "startsAt"),
        ends_at=_word(given, "endsAt"),
    )


def _word(given: Mapping[str, object], name: str) -> str:
    found = given.get(name)
    return found if isinstance(found, str) else ""


def _words(given: Mapping[str, object], name: str, where: str) -> dict[str, str]:
    found = given.get(name, {})
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ValueError(f"{where}.{name}: an object of texts is expected")
    return {str(key): str(value) for key, value in found.items()}
