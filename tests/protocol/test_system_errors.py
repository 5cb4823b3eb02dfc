"""The system's error numbers: the meaning of those of Windows, and that no other number counts as one."""

import errno

import pytest

from bridge.protocol.system_errors import as_winsock, numbers_of
from bridge.protocol.unreachable import Reason, reason_of
from tests.support.systems.windows_errors import windows_error


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (121, "timed-out"),
        (10060, "timed-out"),
        (1225, "refused"),
        (10061, "refused"),
        (1222, "no-route"),
        (1231, "no-route"),
        (1232, "no-route"),
        (10050, "no-route"),
        (10051, "no-route"),
        (10065, "no-route"),
        (64, "other"),
        (1236, "other"),
        (10054, "other"),
    ],
)
def test_numbers_of_windows_are_read_as_what_they_are(number: int, reason: Reason) -> None:
    problem = windows_error(number)
    assert reason_of(numbers_of(problem)) == reason
    assert reason_of(numbers_of(OSError(f"Multiple exceptions: [WinError {number}] x, [Errno 9999] y"))) == reason


def test_the_same_numbers_of_another_system_are_not_taken_for_those_of_windows_kernel() -> None:
    assert numbers_of(OSError(121, "Remote I/O error")) == {121}
    assert numbers_of(OSError("[Errno 121] Remote I/O error")) == {121}
    assert reason_of(numbers_of(OSError(121, "x"))) == "other"


def test_an_error_of_several_addresses_has_all_their_numbers() -> None:
    several = OSError("Multiple exceptions: [WinError 1225] a, [WinError 121] b, [Errno 101] c")
    assert numbers_of(several) == {10061, 10060, 101}


@pytest.mark.parametrize("problem", [OSError(), OSError("no number"), ValueError("x"), OSError(None, "x")])
def test_what_has_no_number(problem: BaseException) -> None:
    assert numbers_of(problem) == frozenset()


def test_a_number_of_the_systems_own_stays() -> None:
    assert numbers_of(ConnectionRefusedError(errno.ECONNREFUSED, "x")) == {errno.ECONNREFUSED}
    assert as_winsock(5) == 5
