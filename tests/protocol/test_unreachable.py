"""Why a server cannot be reached, in words."""

import errno

import pytest

from bridge.protocol import unreachable


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ((), "other"),
        ((0, errno.EMFILE), "other"),
        ((errno.ECONNREFUSED,), "refused"),
        ((10061,), "refused"),
        ((errno.ENETUNREACH, errno.ECONNREFUSED), "refused"),
        ((errno.EHOSTUNREACH,), "no-route"),
        ((10051,), "no-route"),
        ((errno.ECONNREFUSED, errno.ETIMEDOUT), "timed-out"),
        ((10060,), "timed-out"),
    ],
)
def test_what_numbers_mean(numbers: tuple[int, ...], reason: str) -> None:
    assert unreachable.reason_of(numbers) == reason


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (10.002, "10 seconds"),
        (9.97, "10 seconds"),
        (2.04, "2 seconds"),
        (1.0, "1 second"),
        (0.5, "0.5 seconds"),
        (123.4, "123 seconds"),
    ],
)
def test_a_duration_in_words(seconds: float, words: str) -> None:
    assert unreachable.duration(seconds) == words
