"""The models that the bench `scoring` asks: of the size that trainings give. Read in both environments."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FEATURES = 15
ROWS = 4_000


def rows() -> tuple[np.ndarray, np.ndarray]:
    """Features and outcomes, the same each time."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(ROWS, FEATURES))
    return x, (x[:, 0] + x[:, 1] * x[:, 2] + rng.normal(size=ROWS) > 0).astype(np.int64)


def families() -> dict[str, object]:
    """One unfitted model of each family."""
    return {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
        "boosting": HistGradientBoostingClassifier(max_iter=100, early_stopping=False, random_state=1),
        "forest": RandomForestClassifier(100, max_depth=8, random_state=1, n_jobs=1),
    }
