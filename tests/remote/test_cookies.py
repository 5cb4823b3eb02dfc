"""Cookies of one origin: what is kept, for how long, and which request carries them."""

import pytest

from bridge.remote.cookies import Cookies

NOON = 1_445_412_480.0
"""Wed, 21 Oct 2015 07:28:00 GMT."""


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cookies(clock: Clock) -> Cookies:
    return Cookies(clock)


def test_no_cookie_no_header(cookies: Cookies) -> None:
    assert cookies.header("/", secure=True) == ""


def test_what_was_set_comes_back(cookies: Cookies) -> None:
    cookies.store("/mcp", [b"node=a1", b'other="quoted=yes"; HttpOnly; SameSite=Lax'])
    assert cookies.header("/mcp", secure=False) == 'node=a1; other="quoted=yes"'


def test_the_last_value_counts(cookies: Cookies) -> None:
    cookies.store("/mcp", [b"node=a1"])
    cookies.store("/mcp", [b"node=b2"])
    assert cookies.header("/mcp", secure=False) == "node=b2"


def test_spaces_around_names_values_and_attributes(cookies: Cookies) -> None:
    cookies.store("/mcp", [b"  node =  a1  ;  Path =  /mcp  ; "])
    assert cookies.header("/mcp", secure=False) == "node=a1"
    assert cookies.header("/", secure=False) == ""


@pytest.mark.parametrize("header", [b"", b"novalue", b"=nameless", b";Path=/", b" = "])
def test_what_is_no_cookie_is_passed_over(cookies: Cookies, header: bytes) -> None:
    cookies.store("/", [header, b"good=1"])
    assert cookies.header("/", secure=False) == "good=1"


def test_an_empty_value_is_a_value(cookies: Cookies) -> None:
    cookies.store("/", [b"empty="])
    assert cookies.header("/", secure=False) == "empty="


def test_bytes_beyond_ascii_come_back_as_they_were(cookies: Cookies) -> None:
    cookies.store("/", ["name=\u00fc".encode()])
    assert cookies.header("/", secure=False).encode("latin-1") == "name=\u00fc".encode()


# -- how long


def test_max_age(cookies: Cookies, clock: Clock) -> None:
    cookies.store("/", [b"node=a1; Max-Age=60"])
    clock.now += 59
    assert cookies.header("/", secure=False) == "node=a1"
    clock.now += 1
    assert cookies.header("/", secure=False) == ""
    clock.now -= 1
    assert cookies.header("/", secure=False) == "", "an expired cookie is gone for good"


@pytest.mark.parametrize("date", [b"Wed, 21 Oct 2015 07:29:00 GMT", b"Wed, 21-Oct-2015 07:29:00 GMT"])
def test_expires(cookies: Cookies, clock: Clock, date: bytes) -> None:
    cookies.store("/", [b"node=a1; expires=" + date])
    clock.now += 59
    assert cookies.header("/", secure=False) == "node=a1"
    clock.now += 1
    assert cookies.header("/", secure=False) == ""


def test_max_age_counts_before_expires(cookies: Cookies, clock: Clock) -> None:
    cookies.store("/", [b"node=a1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=10"])
    assert cookies.header("/", secure=False) == "node=a1"
    clock.now += 10
    assert cookies.header("/", secure=False) == ""


@pytest.mark.parametrize("end", [b"Max-Age=0", b"max-age=-1", b"Expires=Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_cookie_is_taken_back(cookies: Cookies, end: bytes) -> None:
    cookies.store("/", [b"node=a1", b"stays=1"])
    cookies.store("/", [b"node=; " + end, b"never-there=; " + end])
    assert cookies.header("/", secure=False) == "stays=1"


@pytest.mark.parametrize("end", [b"Max-Age=soon", b"Max-Age=", b"Expires=soon", b"Expires=Wed, 99 Foo 20155"])
def test_an_end_that_means_nothing_is_no_end(cookies: Cookies, clock: Clock, end: bytes) -> None:
    cookies.store("/", [b"node=a1; " + end])
    clock.now += 10_000_000
    assert cookies.header("/", secure=False) == "node=a1"


def test_an_end_far_away(cookies: Cookies, clock: Clock) -> None:
    cookies.store("/", [b"node=a1; Max-Age=" + b"9" * 400])
    clock.now += 10_000_000
    assert cookies.header("/", secure=False) == "node=a1"


# -- where


@pytest.mark.parametrize(
    ("scope", "path", "goes"),
    [
        ("/", "/mcp", True),
        ("/mcp", "/mcp", True),
        ("/mcp", "/mcp/", True),
        ("/mcp", "/mcp/sub", True),
        ("/mcp/", "/mcp/sub", True),
        ("/mcp", "/mcps", False),
        ("/mcp/", "/mcp", False),
        ("/mcp", "/", False),
        ("/other", "/mcp", False),
        ("/MCP", "/mcp", False),
    ],
)
def test_a_path(cookies: Cookies, scope: str, path: str, goes: bool) -> None:
    cookies.store("/", [b"node=a1; Path=" + scope.encode()])
    assert cookies.header(path, secure=False) == ("node=a1" if goes else "")


@pytest.mark.parametrize("attribute", [b"", b"; Path=", b"; Path=relative"])
def test_without_a_path_the_requests_own_folder_counts(cookies: Cookies, attribute: bytes) -> None:
    cookies.store("/v1/mcp", [b"node=a1" + attribute])
    assert cookies.header("/v1/other", secure=False) == "node=a1"
    assert cookies.header("/v1", secure=False) == "node=a1"
    assert cookies.header("/", secure=False) == ""
    cookies.store("/mcp", [b"top=1" + attribute])
    assert cookies.header("/", secure=False) == "top=1"


def test_one_name_may_have_several_paths_and_the_longest_comes_first(cookies: Cookies) -> None:
    cookies.store("/", [b"node=short; Path=/", b"first=1; Path=/", b"node=long; Path=/mcp"])
    assert cookies.header("/mcp", secure=False) == "node=long; node=short; first=1"
    cookies.store("/", [b"node=; Path=/; Max-Age=0"])
    assert cookies.header("/mcp", secure=False) == "node=long; first=1"


def test_a_secure_cookie_goes_over_tls_only(cookies: Cookies) -> None:
    cookies.store("/", [b"safe=1; Secure", b"plain=1", b"also=1; SECURE"])
    assert cookies.header("/", secure=False) == "plain=1"
    assert cookies.header("/", secure=True) == "safe=1; plain=1; also=1"


# -- how many


def test_there_is_a_most(cookies: Cookies, clock: Clock) -> None:
    cookies.store("/", [b"c%d=1; Max-Age=%d" % (number, 60 if number else 10) for number in range(51)])
    assert len(cookies.header("/", secure=False).split("; ")) == 50
    assert "c50" not in cookies.header("/", secure=False)
    cookies.store("/", [b"c1=changed"])
    assert "c1=changed" in cookies.header("/", secure=False)
    clock.now += 10
    cookies.header("/", secure=False)
    cookies.store("/", [b"late=1"])
    assert "late=1" in cookies.header("/", secure=False)


def test_a_cookie_longer_than_4096_bytes_is_not_kept(cookies: Cookies) -> None:
    cookies.store("/", [b"fits=" + b"x" * 4091])
    assert len(cookies.header("/", secure=False)) == 4096
    cookies.store("/", [b"long=" + b"x" * 4092])
    assert "long" not in cookies.header("/", secure=False)
