"""Why a server cannot be reached, as sentences."""

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


TRIED = OSError(65, "Connect call failed ('192.168.1.7', 443)")
PUBLIC = OSError(65, "Connect call failed ('93.184.216.34', 443)")


@pytest.mark.parametrize(
    ("problem", "host", "release", "kept"),
    [
        (OSError(65, "No route to host"), "192.168.1.7", "24.0.0", True),
        (OSError(65, "No route to host"), "192.168.1.7", "25.6.1", True),
        (OSError(65, "No route to host"), "192.168.1.7", "23.6.0", False),
        (OSError(65, "No route to host"), "192.168.1.7", "", False),
        (OSError(51, "Network is unreachable"), "192.168.1.7", "24.0.0", False),
        (OSError(61, "Connection refused"), "192.168.1.7", "24.0.0", False),
        (OSError(65, "No route to host"), "169.254.3.4", "24.0.0", True),
        (OSError(65, "No route to host"), "fe80::1%en0", "24.0.0", True),
        (OSError(65, "No route to host"), "fd00::7", "24.0.0", True),
        (OSError(65, "No route to host"), "224.0.0.251", "24.0.0", True),
        (OSError(65, "No route to host"), "93.184.216.34", "24.0.0", False),
        (OSError(65, "No route to host"), "nas.local", "24.0.0", True),
        (OSError(65, "No route to host"), "mcp.home.example", "24.0.0", True),
        (TRIED, "mcp.home.example", "24.0.0", True),
        (PUBLIC, "mcp.example", "24.0.0", False),
        (
            OSError(f"Multiple exceptions: [Errno 65] {PUBLIC.strerror}, [Errno 65] {TRIED.strerror}"),
            "a.b",
            "24.1",
            True,
        ),
        (OSError(65, "Connect call failed ('fe80::1%en0', 443, 0, 4)"), "a.b", "24.1", True),
    ],
)
def test_macos_keeps_programs_from_the_local_network(problem: OSError, host: str, release: str, kept: bool) -> None:
    assert unreachable.kept_from_local_network([problem], host, "darwin", release) == kept
    assert not unreachable.kept_from_local_network([problem], host, "linux", release)


def test_what_to_do_about_it_is_told() -> None:
    told = unreachable.unreachable("local-network", "http://192.168.1.7/mcp", "192.168.1.7")
    assert told.message.startswith("Cannot reach http://192.168.1.7/mcp: macOS finds no route to it")
    assert "System Settings > Privacy & Security > Local Network" in told.hint
    assert unreachable.without_proxy(told, "This system uses a proxy script", "http") == told


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
