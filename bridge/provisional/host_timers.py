"""Timers of what the host waits for, or is given time for. Each is an object that knows what to do when it fires."""

from __future__ import annotations

from collections.abc import Callable

from bridge.session.commands import CancelTimer, Command, SetTimer
from bridge.session.events import TimerKey


class HostTimer:
    """One timer; `HostTimers.new` makes it. `fired()` is called when its time is over."""

    __slots__ = ("_key", "_owner", "fired")

    def __init__(self, owner: HostTimers, key: TimerKey, fired: Callable[[], None]) -> None:
        self._owner = owner
        self._key = key
        self.fired = fired

    @property
    def is_running(self) -> bool:
        """Whether it is running."""
        return self._key in self._owner.running

    def start(self, seconds: float) -> None:
        """Fire once after `seconds`; a timer that is running starts anew."""
        self._owner.running[self._key] = self
        self._owner.do(SetTimer(self._key, seconds))

    def stop(self) -> None:
        """Do not fire. Does nothing if it is not running."""
        if self._owner.running.pop(self._key, None) is not None:
            self._owner.do(CancelTimer(self._key))


class HostTimers:
    """The timers of this room, `running` by key. `do(command)` issues a command."""

    def __init__(self, do: Callable[[Command], None]) -> None:
        self.do = do
        self.running: dict[TimerKey, HostTimer] = {}

    def new(self, purpose: str, fired: Callable[[], None], number: int = 0) -> HostTimer:
        """Make a timer that is not running yet. `purpose` and `number` are its key."""
        return HostTimer(self, (purpose, number), fired)

    def fire(self, key: TimerKey) -> bool:
        """Run the timer with this key; return False where none of this room has it."""
        timer = self.running.pop(key, None)
        if timer is not None:
            timer.fired()
        return timer is not None
