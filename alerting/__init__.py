"""Alerts: rules and their tests, runbooks, Alertmanager, and the receiver that turns chosen ones into risk actions."""
