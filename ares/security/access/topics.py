"""What people can be told of, and by what. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Topic(StrEnum):
    """One kind of news."""

    ALERTS = "alerts"
    STATE = "state"
    LIMITS = "limits"
    FILLS = "fills"
    ORDERS = "orders"
    GAPS = "gaps"
    MODELS = "models"
    JOBS = "jobs"
    BACKUPS = "backups"


MEANINGS: Mapping[Topic, str] = {
    Topic.ALERTS: "alerts that fire and end, what they asked of the trader, and silence of Alertmanager",
    Topic.STATE: "ACTIVE, REDUCING, HALTED; strategies that rest; steps towards live trading",
    Topic.LIMITS: "limits that were set or asked for",
    Topic.FILLS: "executions",
    Topic.ORDERS: "orders that limits refuse or venues reject, and orders whose outcome is not known",
    Topic.GAPS: "what is missing of market data, and when it was healed or lost",
    Topic.MODELS: "models that change their stage",
    Topic.JOBS: "scheduled jobs that failed",
    Topic.BACKUPS: "backups that failed, and restore drills",
}


class TargetKind(StrEnum):
    """What carries the news."""

    TELEGRAM = "telegram"
    SLACK = "slack"
    WEBHOOK = "webhook"
