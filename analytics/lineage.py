"""What analytics makes from what: facts from views, predictions from models, models from datasets. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from analytics.catalog import definitions
from ares.model.lineage import Made, Node

FACTS = Node("table", "bar_facts")
VALUES = Node("table", "feature_values")
PREDICTIONS = Node("table", "predictions")


def frozen_made() -> list[Made]:
    """The frozen tables, of the views whose values they hold."""
    features = tuple(Node("feature", each.view) for each in definitions("feature"))
    signals = tuple(Node("signal", each.view) for each in definitions("signal"))
    return [
        Made(FACTS, (Node("view", "bars_1m_checked"),), "frozen"),
        Made(VALUES, features, "frozen"),
        Made(Node("table", "signal_values"), signals, "frozen"),
    ]


def model_node(model: str, version: str) -> Node:
    """A fitted model."""
    return Node("model", f"{model}@{version}")


def scored_made(model: str, version: str, features: Sequence[str]) -> list[Made]:
    """What a model makes once it is in use."""
    prediction = Node("prediction", f"{model}@{version}")
    sources = (model_node(model, version), *(Node("feature", name) for name in features))
    return [Made(prediction, sources), Made(PREDICTIONS, (prediction,))]


def trained_made(model: str, version: str, dataset: str, features: Sequence[str]) -> list[Made]:
    """What a training makes: a model, of a version of a dataset and of the features in it that it uses."""
    sources = (Node("dataset", dataset), *(Node("feature", name) for name in features))
    return [Made(model_node(model, version), sources)]
