"""A pause is doubled with each try that fails, up to a longest one."""

from itertools import islice

import pytest

from bridge.protocol.backoff import Backoff


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (Backoff(0.1, 5.0), [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]),
        (Backoff(1.0, 300.0), [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]),
        (Backoff(5.0, 5.0), [5.0] * 8),
        (Backoff(60.0, 5.0), [5.0] * 8),
    ],
)
def test_a_pause_is_doubled_up_to_the_longest(row: Backoff, expected: list[float]) -> None:
    assert [row.before(retry) for retry in range(1, 9)] == expected
    assert list(islice(row.pauses(), 8)) == expected


def test_a_pause_has_a_bound_however_many_tries_fail() -> None:
    assert Backoff(0.1, 30.0).before(10**9) == 30.0
