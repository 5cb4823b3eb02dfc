"""A timer is an object: it is started, stopped, and does what it is for when it fires."""

from bridge.session.commands import CancelTimer, Command, SetTimer
from bridge.session.timers import Timers


class Clock:
    """Timers with a list of the commands they give and of what fired."""

    def __init__(self, first: int = 0) -> None:
        self.commands: list[Command] = []
        self.fired: list[str] = []
        self.timers = Timers(self.commands.append, first)


def test_a_timer_fires_once() -> None:
    clock = Clock(first=7000)
    timer = clock.timers.new("call", lambda: clock.fired.append("call"), 3)
    assert not clock.commands, "it does not run before it is started"
    timer.start(5.0, 0.5)
    assert timer.is_running
    assert clock.commands == [SetTimer(("call", 7003), 5.0, 0.5)]
    assert clock.timers.fire(("call", 7003))
    assert not clock.timers.fire(("call", 7003))
    assert clock.fired == ["call"]


def test_whether_a_timer_is_running() -> None:
    clock = Clock()
    timer = clock.timers.new("call", lambda: None)
    seen = [timer.is_running]
    timer.start(5.0)
    seen.append(timer.is_running)
    clock.timers.fire(("call", 0))
    seen.append(timer.is_running)
    assert seen == [False, True, False]


def test_a_stopped_timer_does_not_fire_though_its_event_was_on_its_way() -> None:
    clock = Clock()
    timer = clock.timers.new("call", lambda: clock.fired.append("call"))
    timer.start(5.0)
    timer.stop()
    timer.stop()
    assert clock.commands == [SetTimer(("call", 0), 5.0), CancelTimer(("call", 0))]
    assert not clock.timers.fire(("call", 0))
    assert clock.fired == []


def test_a_timer_may_be_started_again_when_it_fires() -> None:
    clock = Clock()
    timer = clock.timers.new("call", lambda: timer.start(1.0))
    timer.start(5.0)
    assert clock.timers.fire(("call", 0))
    assert clock.commands == [SetTimer(("call", 0), 5.0), SetTimer(("call", 0), 1.0)]
    assert clock.timers.fire(("call", 0))


def test_a_timer_takes_the_place_of_one_with_the_same_key() -> None:
    clock = Clock()
    clock.timers.new("call", lambda: clock.fired.append("old")).start(5.0)
    clock.timers.new("call", lambda: clock.fired.append("new")).start(5.0)
    clock.timers.fire(("call", 0))
    assert clock.fired == ["new"]


def test_a_limit_on_the_servers_time_is_extended_while_the_user_signs_in() -> None:
    clock = Clock()
    limit = clock.timers.new("limit", lambda: clock.fired.append("limit"), extension=30.0)
    pause = clock.timers.new("pause", lambda: clock.fired.append("pause"))
    limit.start(5.0)
    pause.start(5.0)
    clock.commands.clear()
    clock.timers.is_signing_in = True
    assert clock.timers.fire(("limit", 0))
    assert clock.timers.fire(("pause", 0))
    assert clock.fired == ["pause"]
    assert clock.commands == [SetTimer(("limit", 0), 30.0)]
    clock.timers.is_signing_in = False
    clock.timers.fire(("limit", 0))
    assert clock.fired == ["pause", "limit"]
