"""Goal: distances between samples are what their definitions say, whatever the samples are."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.monitoring.distances import PRIOR, SAMPLE_MAX, binned, ks, psi, shape_of

numbers = st.one_of(st.integers(-5, 5).map(float), st.floats(-1e9, 1e9, allow_nan=False))
samples = st.lists(numbers, min_size=1, max_size=200).map(np.array)


@given(before=samples, after=samples)
def test_ks_is_the_widest_distance_between_two_distribution_functions(before: np.ndarray, after: np.ndarray) -> None:
    """The definition, point by point."""

    def share_up_to(point: float, sample: np.ndarray) -> float:
        return sum(value <= point for value in sample.tolist()) / len(sample)

    points = [*before.tolist(), *after.tolist()]
    expected = max(abs(share_up_to(point, before) - share_up_to(point, after)) for point in points)
    assert ks(shape_of(before), after) == pytest.approx(expected, abs=1e-12)


@given(before=samples, after=samples)
def test_psi_is_the_sum_over_its_bins(before: np.ndarray, after: np.ndarray) -> None:
    shape = shape_of(before)
    bounds = [-math.inf, *shape.edges, math.inf]
    expected = 0.0
    for low, high in pairwise(bounds):
        counts = [sum(low < value <= high for value in sample.tolist()) for sample in (before, after)]
        p, q = (
            (count + PRIOR) / (len(sample) + PRIOR * (len(bounds) - 1))
            for count, sample in zip(counts, (before, after), strict=True)
        )
        expected += (q - p) * math.log(q / p)
    assert psi(shape, after) == pytest.approx(expected, abs=1e-9)
    assert psi(shape, after) >= 0


@given(sample=samples)
def test_sample_is_nowhere_from_itself(sample: np.ndarray) -> None:
    shape = shape_of(sample)
    assert shape.rows == len(sample) == binned(np.array(shape.edges), sample).sum()
    assert psi(shape, sample) == pytest.approx(0, abs=1e-12)
    assert ks(shape, sample) == 0


@given(sample=samples, scale=st.sampled_from([1e-3, 2.0, 1e6]))
def test_unit_of_a_feature_does_not_matter(sample: np.ndarray, scale: float) -> None:
    assert ks(shape_of(sample * scale), sample * scale) == 0
    assert psi(shape_of(sample * scale), sample * scale) == pytest.approx(0, abs=1e-12)


def test_sample_that_moved_is_far_and_one_that_did_not_is_near() -> None:
    rng = np.random.default_rng(1)
    shape = shape_of(rng.normal(size=20_000))
    assert len(shape.quantiles) == SAMPLE_MAX
    near, far = rng.normal(size=1_440), rng.normal(1.0, size=1_440)
    assert psi(shape, near) < 0.05
    assert ks(shape, near) < 0.05
    assert psi(shape, far) > 0.5
    assert ks(shape, far) == pytest.approx(0.383, abs=0.03), "2 F(1/2) - 1 for a shift by one deviation"


def test_feature_of_one_value_has_one_edge_and_notices_another() -> None:
    shape = shape_of(np.zeros(500))
    assert list(shape.edges) == [0.0]
    assert psi(shape, np.zeros(300)) == pytest.approx(0, abs=1e-3)
    assert psi(shape, np.ones(300)) > 5
    assert ks(shape, np.ones(300)) == 1
