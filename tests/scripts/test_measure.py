"""`scripts/measure.py` measures what the pages in `docs/decisions/` name."""

import re

import pytest

from scripts.benchmark import decisions
from scripts.environment import ROOT, SetupError
from scripts.measure import SUBJECTS, main

PAGES = {page.stem: page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "decisions").glob("*.md")}


def test_every_subject_is_measured_and_named_by_a_page() -> None:
    named = {name for text in PAGES.values() for name in re.findall(r"scripts/measure\.py (\w+)", text)}
    assert named == set(SUBJECTS) == set(decisions.SUBJECTS)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_says_how_to_measure_again_and_what_would_change_the_choice(page: str) -> None:
    assert "## Measure it again" in PAGES[page]
    assert "## What would change the choice" in PAGES[page]


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    for page in PAGES:
        assert f"(decisions/{page}.md)" in index


def test_a_name_that_is_not_known_is_told_with_those_that_are() -> None:
    with pytest.raises(SetupError, match=r"http \| sse"):
        main(["speed"])


def test_a_measurement_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    decisions.channel()
    assert re.search(r"\n\| a connection with both proofs \| \d+\.\d\d \|\n", capsys.readouterr().out)
