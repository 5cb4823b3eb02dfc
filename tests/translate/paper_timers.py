"""Timers without a clock: which run, and for how many seconds. A test lets them fire."""

from __future__ import annotations

from collections.abc import Callable


class PaperTimer:
    """A translator's timer."""

    def __init__(self, timers: PaperTimers, key: tuple[str, int], fired: Callable[[], None]) -> None:
        self._timers = timers
        self.key = key
        self.fired = fired

    def start(self, seconds: float) -> None:
        assert seconds >= 0
        self._timers[self.key] = seconds
        self._timers.objects[self.key] = self

    def stop(self) -> None:
        self._timers.pop(self.key, None)


class PaperTimers(dict[tuple[str, int], float]):
    """The running timers: what each is for and its number, and the seconds it was started with."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[tuple[str, int], PaperTimer] = {}
        self._last_number = 0

    def new(self, purpose: str, fired: Callable[[], None]) -> PaperTimer:
        """A timer that does not run yet."""
        self._last_number += 1
        return PaperTimer(self, (purpose, self._last_number), fired)

    def seconds_of(self, purpose: str, number: int | None = None) -> float:
        """For how long the first running timer of this purpose, and number if one is given, was started."""
        return self[self._key(purpose, number)]

    def fire(self, purpose: str, number: int | None = None) -> None:
        """Let that timer fire."""
        key = self._key(purpose, number)
        del self[key]
        self.objects[key].fired()

    def _key(self, purpose: str, number: int | None) -> tuple[str, int]:
        return next(key for key in self if key[0] == purpose and number in (None, key[1]))
