"""How long before a stream is asked for again: never a storm, never without end."""

import pytest

from bridge.session import reconnect_delay
from bridge.session.reconnect_delay import ReconnectDelay

WISHES = [None, 0.0, 0.02, 1.0, 20.0, 10.0**15]


@pytest.mark.parametrize("wished", WISHES)
@pytest.mark.parametrize("tries", [1, 2, 5, 100, 10**6])
def test_each_pause_is_between_its_bounds(wished: float | None, tries: int) -> None:
    assert 0.1 <= reconnect_delay.before_resuming(tries, wished).seconds <= 30.0
    assert 0.5 <= reconnect_delay.before_listening(tries, tries, wished).seconds <= 60.0
    assert 0.5 <= reconnect_delay.before_listening(tries, 0, wished).seconds <= 60.0
    assert 0.5 <= reconnect_delay.before_reconnecting(tries + 1, wished).seconds <= 30.0
    assert reconnect_delay.before_reconnecting(1, None).seconds == 0.0


def test_no_pause_of_the_servers_is_shortened_by_chance() -> None:
    assert reconnect_delay.before_resuming(3, 1.0).spread == 0.0
    assert reconnect_delay.before_resuming(3, None).spread == 0.5


def test_a_pause_says_how_long_it_is_and_what_was_wished() -> None:
    assert str(ReconnectDelay(0.5, 0.5, None)) == "in 0.5 s"
    assert str(ReconnectDelay(4.0, 0.0, 4.0)) == "in 4 s"
    assert str(ReconnectDelay(30.0, 0.0, 99999.0)) == "in 30 s (the server asked for 99999 s)"
