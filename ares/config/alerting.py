"""The receiver of alerts: what can be set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from ares.config.hosts import is_here
from ares.config.section import Count, Port, Reloadable, Seconds, Section

Action = Literal["reduce", "halt", "flatten"]


def _actions() -> dict[str, Action]:
    return {
        "Drawdown": "halt",
        "DailyLoss": "halt",
        "ExposureHigh": "reduce",
        "ReconcileDiverges": "reduce",
        "Unprotected": "reduce",
        "ClockNotKept": "reduce",
    }


class AlertingConfig(Section):
    """The service `alerts`: takes Alertmanager's notifications, asks the trader for what they mean, hears silence."""

    host: str = Field("127.0.0.1", description="this machine: who may post here stops trading")
    port: Port = 8830
    token: SecretStr | None = Field(
        None, description="Alertmanager's bearer token; unset: made once, in <state_dir>/run/alerts.token"
    )
    actions: Reloadable[dict[str, Action]] = Field(
        default_factory=_actions, description="by an alert's name, what is asked of the trader when it fires"
    )
    actions_per_hour_max: Reloadable[Count] = Field(
        6, description="beyond it alerts are not understood: the next one halts, those after it are only noted"
    )
    act_s_max: Reloadable[Seconds] = Field(45.0, description="so long the trader may take; a flatten waits for fills")
    dead_man_s: Reloadable[Seconds] = Field(
        180.0, description="without Alertmanager's message of being alive for longer alerts count as cut off"
    )
    dead_man_url: SecretStr | None = Field(
        None, description="is posted a JSON of text and status when alerts are cut off, and when they are back"
    )
    telegram_token: SecretStr | None = Field(None, description="of the bot that POST /telegram speaks through")
    telegram_chat: str = Field("", description="where it speaks")
    telegram_url: str = "https://api.telegram.org"
    tell_s_max: Annotated[float, Field(gt=0, le=60)] = Field(5.0, description="an answer of those two takes no longer")

    sql_asked_by: Literal["ops", "grafana"] = Field(
        "ops", description="who evaluates the SQL alerts: `ares ops up`, or a Grafana with the provisioned rules"
    )
    prometheus: str = Field("prometheus", description="the program that `ares ops up` starts, or a path to it")
    prometheus_port: Port = 9090
    alertmanager: str = Field("prometheus-alertmanager", description="the same; Debian calls it so")
    alertmanager_port: Port = 9093
    grafana_home: Path | None = Field(
        None, description="the folder that Grafana 9.3 or newer was unpacked to: `ares ops up` runs it, too"
    )
    grafana_port: Port = 3000

    @model_validator(mode="after")
    def _at_home(self) -> Self:
        if not is_here(self.host):
            raise ValueError(f"host = {self.host!r}: only this machine may reach the receiver. Take 127.0.0.1 or ::1")
        if (self.telegram_token is None) == bool(self.telegram_chat):
            raise ValueError("telegram_token and telegram_chat belong together: set both or none")
        return self
