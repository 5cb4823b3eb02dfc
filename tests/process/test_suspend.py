"""How long the machine slept, by two clocks that a test winds."""

import time
from types import SimpleNamespace

import pytest

from bridge.process.suspend import SuspendDetector, clock_that_runs_on
from tests.support.waits import stretched


class Clocks:
    """One that runs on in sleep and one that stops."""

    def __init__(self) -> None:
        self.runs_on = 1_700_000_000.0
        self.stops = 5.0
        self.detector = SuspendDetector(lambda: self.runs_on, lambda: self.stops)

    def work(self, seconds: float) -> None:
        self.runs_on += seconds
        self.stops += seconds

    def sleep(self, seconds: float) -> None:
        self.runs_on += seconds


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_work_is_no_sleep(clocks: Clocks) -> None:
    assert clocks.detector.slept() == 0
    clocks.work(100_000)
    assert clocks.detector.slept() == 0


def test_sleep_is_told_once(clocks: Clocks) -> None:
    clocks.work(5)
    clocks.sleep(3600)
    clocks.work(5)
    assert clocks.detector.slept() == 3600
    assert clocks.detector.slept() == 0
    clocks.sleep(20)
    assert clocks.detector.slept() == 20


@pytest.mark.parametrize(("seconds", "told"), [(0.5, 0), (9.5, 0), (10, 10), (11, 11)])
def test_a_wink_is_not_told(seconds: float, told: float, clocks: Clocks) -> None:
    clocks.sleep(seconds)
    assert clocks.detector.slept() == told


def test_winks_between_two_questions_add_up_and_others_do_not(clocks: Clocks) -> None:
    for _ in range(3):
        clocks.sleep(6)
        assert clocks.detector.slept() == 0
    clocks.sleep(6)
    clocks.work(1)
    clocks.sleep(6)
    assert clocks.detector.slept() == 12


def test_a_clock_that_is_set_back_is_no_sleep(clocks: Clocks) -> None:
    clocks.sleep(-3600)
    assert clocks.detector.slept() == 0
    clocks.sleep(60)
    assert clocks.detector.slept() == 60


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ({"CLOCK_BOOTTIME": 7, "CLOCK_MONOTONIC_RAW": 4}, 7),
        ({"CLOCK_MONOTONIC_RAW": 4}, 4),
        ({}, "wall"),
    ],
    ids=["linux", "macos", "else"],
)
def test_each_system_has_its_clock(names: dict[str, int], told: object, monkeypatch: pytest.MonkeyPatch) -> None:
    system = SimpleNamespace(clock_gettime=lambda number: number, time=lambda: "wall", **names)
    monkeypatch.setattr("bridge.process.suspend.time", system)
    assert clock_that_runs_on()() == told


def test_the_systems_clock_runs() -> None:
    clock = clock_that_runs_on()
    first = clock()
    deadline = time.monotonic() + stretched(5)
    while clock() == first:
        assert time.monotonic() < deadline
    assert clock() > first
    assert SuspendDetector().slept() == 0
