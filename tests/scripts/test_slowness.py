"""How slow the machine is, as it is measured and as the tests' waits take it."""

import pytest

from scripts import slowness as measuring
from scripts.slowness import REFERENCE, VARIABLE, slowness
from tests.support import waits


@pytest.mark.parametrize(("rounds", "found"), [([0.5, 1, 9], 1.0), ([2, 3, 4], 3.0), ([1, 1e6, 1e6], 20.0)])
def test_the_middle_of_three_rounds_counts(rounds: list[float], found: float, monkeypatch: pytest.MonkeyPatch) -> None:
    left = [REFERENCE * times for times in rounds]
    monkeypatch.setattr(measuring, "_round", lambda workers: left.pop())
    assert slowness(4, {}) == found


def test_what_is_given_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "_round", lambda workers: 1 / 0)
    assert slowness(4, {VARIABLE: "2.5"}) == 2.5
    assert slowness(4, {VARIABLE: "0.1"}) == 1.0


def test_a_round_is_measured_and_ends() -> None:
    assert 0 < slowness(2, {}) <= 20


def test_the_waits_grow_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert waits.VARIABLE == VARIABLE
    monkeypatch.setattr(waits, "_load", lambda: 1.0)
    monkeypatch.setenv(VARIABLE, "3")
    assert waits.stretched(2) == 6
    monkeypatch.delenv(VARIABLE)
    assert waits.stretched(2) == 2


def test_the_waits_grow_with_the_load_that_begins_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1.5")
    loads = iter([waits.ORDINARY_LOAD, 2 * waits.ORDINARY_LOAD])
    monkeypatch.setattr(waits, "_load", lambda: next(loads))
    assert [waits.stretched(2), waits.stretched(2)] == [3, 4]


def test_tests_in_process_have_fewer_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert (measuring.default_workers(), measuring.default_workers(in_process=True)) == (11, 9)
