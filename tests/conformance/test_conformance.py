"""Goal: whatever venue there is, every numbered case holds for it, or its specimen says why it cannot apply."""

from __future__ import annotations

import pytest

from ingest.venues.registry import LANGUAGES
from tests.conformance import table
from tests.conformance.case import Case
from tests.conformance.cases import CASES
from tests.conformance.specimen import Specimen
from tests.conformance.venues import NAMES, SPECIMENS, WANTED

each_venue = pytest.mark.parametrize("specimen", SPECIMENS, ids=lambda specimen: specimen.name)


@each_venue
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.number} {case.title}")
async def test_venue_conforms(case: Case, specimen: Specimen) -> None:
    if case.number in specimen.excused:
        pytest.skip(f"{case.number} does not apply to {specimen.name}: {specimen.excused[case.number]}")
    await case.run(specimen)


@each_venue
def test_what_a_venue_lacks_is_declared_and_nothing_else_is_excused(specimen: Specimen) -> None:
    lacks = {case.number for case in CASES if not case.applies(specimen)}
    assert set(specimen.excused) == lacks
    assert all(specimen.excused.values()), "with a reason"


@each_venue
def test_recordings_of_the_venue_are_at_hand(specimen: Specimen) -> None:
    """Else its cases held for less than they could."""
    absent = sorted({sample.origin for sample in specimen.samples if not sample.frames and sample.events})
    if absent:
        pytest.skip(f"not here: {', '.join(absent)}; set ARES_TEST_DATA to a folder that has them")


def test_every_venue_of_the_registry_is_examined() -> None:
    assert sorted(LANGUAGES) == NAMES


@pytest.mark.skipif(bool(WANTED), reason="the page is about all venues")
def test_the_page_says_what_holds() -> None:
    assert table.PAGE.read_text(encoding="utf-8") == table.page(SPECIMENS), "make generate"


def test_numbers_of_cases_are_without_holes() -> None:
    assert [case.number for case in CASES] == [f"V{number:02}" for number in range(1, len(CASES) + 1)]
