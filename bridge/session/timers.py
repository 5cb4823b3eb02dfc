"""Timers: each is an object that knows what to do when its time is over.

A machine keeps its running timers by key, as it keeps its exchanges by number. It finds the one that `TimerFired` names
and calls it, so a new timer needs no branch anywhere.
"""

from __future__ import annotations

from collections.abc import Callable

from bridge.session.commands import CancelTimer, Command, SetTimer
from bridge.session.events import TimerKey

LIMIT_EXTENSION = 30.0
"""Seconds by which a time limit for the server is extended if it is reached while the user signs in."""


class Timer:
    """One wait: `fired()` is called when it is over. A timer that is started while it runs begins anew.

    `extension`: a timer that fires while the user signs in starts again for this many seconds, because the server did
    not cause the delay. With 0 it fires all the same.
    """

    __slots__ = ("_timers", "extension", "fired", "key")

    def __init__(self, timers: Timers, key: TimerKey, fired: Callable[[], None], extension: float) -> None:
        self._timers = timers
        self.key = key
        self.fired = fired
        self.extension = extension

    @property
    def is_running(self) -> bool:
        """Whether it was started and has neither fired nor been stopped."""
        return self._timers.runs(self)

    def start(self, seconds: float, spread: float = 0.0) -> None:
        """Fire after `seconds`, or earlier by a random part of `spread` (0 to 1) of it."""
        self._timers.start(self, seconds, spread)

    def stop(self) -> None:
        """Do not fire. Does nothing if the timer is not running."""
        self._timers.stop(self.key)


class Timers:
    """The timers of one machine. `do(command)` issues a command; `first` is added to the number of every timer.

    `is_signing_in`: the user was asked to sign in and has not finished.
    """

    def __init__(self, do: Callable[[Command], None], first: int = 0) -> None:
        self.is_signing_in = False
        self._do = do
        self._first = first
        self._running: dict[TimerKey, Timer] = {}

    def new(self, purpose: str, fired: Callable[[], None], number: int = 0, *, extension: float = 0.0) -> Timer:
        """Make a timer that is not running yet. `purpose` and `number` distinguish it from the other timers."""
        return Timer(self, (purpose, self._first + number), fired, extension)

    def runs(self, timer: Timer) -> bool:
        """Whether this timer is running."""
        return self._running.get(timer.key) is timer

    def start(self, timer: Timer, seconds: float, spread: float = 0.0) -> None:
        """Start a timer, in place of one with the same key."""
        self._running[timer.key] = timer
        self._do(SetTimer(timer.key, seconds, spread))

    def stop(self, key: TimerKey) -> None:
        """Stop the timer with this key, if it runs."""
        if self._running.pop(key, None) is not None:
            self._do(CancelTimer(key))

    def fire(self, key: TimerKey) -> bool:
        """The time of a timer is over. Returns False if it is not running, for example because it was just stopped."""
        timer = self._running.pop(key, None)
        if timer is None:
            return False
        if timer.extension and self.is_signing_in:
            timer.start(timer.extension)
        else:
            timer.fired()
        return True
