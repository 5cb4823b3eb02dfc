"""Any redirect, judged by the bridge and by httpx: both go to the same URL, or the difference is one of these.

| difference | the bridge | httpx | why |
|---|---|---|---|
| another origin | refuses | goes there, without `Authorization` | all is meant for the server the user named |
| 303 to a message | refuses | fetches it with GET | a message has no answer elsewhere |
| 301 and 302 to a POST | POSTs again | fetches it with GET | a server that moved its endpoint wants the message |
| a location that is not ASCII | refuses | encodes it | it is not a URI (RFC 9110, 10.2.2; RFC 3986, 2) |
| a scheme without a host | refuses | takes the host of before | it is not an http URI (RFC 9110, 4.2.1) |
| a path whose first segment has a colon | takes it as it is | cuts at the colon | it is no reference (RFC 3986, 4.2) |
| a location that httpx cannot read | refuses or goes on | raises | nothing to compare |

A fragment is never sent, so it is not compared. Where the bridge goes, its own parser, `urllib`, and httpx's see the
same origin: a location that two parsers read in two ways leads nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import h11
import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.remote.connecting import origin_of
from bridge.remote.exchange_refused import ExchangeRefused
from bridge.remote.redirects import Redirects
from bridge.remote.responses import Head
from tests.support.examples import examples

URL = "http://mcp.example/a/mcp?q=1"
REFUSED = "refused"
UNREADABLE = "unreadable"


class Going(NamedTuple):
    """Where a redirect leads, and with which method; `url` is empty where the response is no redirect."""

    method: str
    url: str


def by_bridge(status: int, location: bytes) -> Going:
    head = Head(h11.Response(status_code=status, headers=[(b"location", location)]))
    try:
        target = Redirects(origin_of(URL)).target(URL, head, URL)
    except ExchangeRefused:
        return Going(REFUSED, "")
    return Going("POST" if target else "", target or "")


def by_httpx(status: int, location: bytes) -> Going:
    response = httpx.Response(status, headers=[(b"location", location)])
    with httpx.Client(transport=httpx.MockTransport(lambda request: response), trust_env=False) as client:
        try:
            following = client.send(client.build_request("POST", URL, content=b"{}")).next_request
        except (httpx.HTTPError, httpx.InvalidURL):
            return Going(UNREADABLE, "")
    return Going(following.method, str(following.url)) if following else Going("", "")


def plain(url: str) -> str:
    """A URL as httpx writes it, without its fragment."""
    return str(httpx.URL(url).copy_with(fragment=None)) if url else ""


# -- the differences


class Difference(NamedTuple):
    """One row of the table: where it may be met, an example, and what both make of that."""

    name: str
    is_met: Callable[[int, bytes, Going, Going], bool]
    status: int
    location: bytes
    ours: Going
    theirs: Going


def is_elsewhere(going: Going) -> bool:
    url = httpx.URL(going.url)
    return (url.scheme, url.host, url.port or 80) != ("http", "mcp.example", 80)


NO_HOST = rb"(?i)https?:(?!//)|(?:https?:)?//(?:[^/?#]*@)?(?:[/?#:]|$)"
DIFFERENCES = [
    Difference(
        "another origin",
        lambda status, location, ours, theirs: ours.method == REFUSED and bool(theirs.url) and is_elsewhere(theirs),
        307,
        b"https://other.example/mcp",
        Going(REFUSED, ""),
        Going("POST", "https://other.example/mcp"),
    ),
    Difference(
        "303 to a message",
        lambda status, location, ours, theirs: status == 303 and ours.method == REFUSED and theirs.method == "GET",
        303,
        b"/new",
        Going(REFUSED, ""),
        Going("GET", "http://mcp.example/new"),
    ),
    Difference(
        "301 and 302 to a POST",
        lambda status, location, ours, theirs: status in {301, 302} and ours._replace(method="GET") == theirs,
        302,
        b"/new",
        Going("POST", "http://mcp.example/new"),
        Going("GET", "http://mcp.example/new"),
    ),
    Difference(
        "a location that is not ASCII",
        lambda status, location, ours, theirs: ours.method == REFUSED and not location.isascii(),
        307,
        "/\u00fc".encode(),
        Going(REFUSED, ""),
        Going("POST", "http://mcp.example/%C3%BC"),
    ),
    Difference(
        "a scheme without a host",
        lambda status, location, ours, theirs: ours.method == REFUSED and bool(re.match(NO_HOST, location)),
        307,
        b"http:/p",
        Going(REFUSED, ""),
        Going("POST", "http://mcp.example/p"),
    ),
    Difference(
        "a path whose first segment has a colon",
        lambda status, location, ours, theirs: bool(re.match(rb"[^/?#]*:", location)) and ours.method == "POST",
        307,
        b":@new",
        Going("POST", "http://mcp.example/a/:@new"),
        Going("POST", "http://mcp.example/a/@new"),
    ),
    Difference(
        "a location that httpx cannot read",
        lambda status, location, ours, theirs: theirs.method == UNREADABLE,
        307,
        b"http://[::1/p",
        Going(REFUSED, ""),
        Going(UNREADABLE, ""),
    ),
]


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.name)
def test_each_difference_is_there(difference: Difference) -> None:
    ours, theirs = (by(difference.status, difference.location) for by in (by_bridge, by_httpx))
    assert (ours, theirs) == (difference.ours, difference.theirs)


# -- any location

SCHEMES = st.sampled_from([b"", b"", b"", b"http:", b"http:", b"HTTP:", b"https:", b"ftp:", b"javascript:", b"http"])
HOSTS = st.sampled_from(
    [
        *[b"", b"", b"", b"//mcp.example", b"//mcp.example", b"//MCP.example:80", b"//mcp.example:", b"//mcp.example."],
        *[b"//other.example", b"//mcp.example:81", b"//user@mcp.example", b"//mcp.example@other.example", b"///"],
        *[b"//mcp.example\\@other.example", b"//other.example\\@mcp.example", b"//[::1]", b"//[::1"],
        *[b"//mcp.example.other.example", b"\\\\other.example", b"//mcp%2eexample", b"//other.example#@mcp.example"],
        *[b"//other.example?@mcp.example", b"//mcp.example;other.example", b"//mcp.example:0", b"//mcp.example:80:81"],
        *[b"//", b"//mcp.example:99999"],
    ]
)
PIECES = st.sampled_from(
    [b"/", b"/", b"a", b"..", b".", b"new", b"?b=2", b"#there", b"%2f", b"%", b"\\", b"@", b":", b";", b"//", b"\xff"]
)
LOCATIONS = st.builds(
    lambda scheme, host, pieces: scheme + host + b"".join(pieces), SCHEMES, HOSTS, st.lists(PIECES, max_size=6)
)
STATUSES = st.sampled_from([300, 301, 302, 303, 304, 307, 307, 307, 308])


@examples(200)
@given(STATUSES, LOCATIONS)
@example(307, b"//mcp.example@other.example/")
@example(307, b"http://other.example\\@mcp.example/")
def test_any_redirect(status: int, location: bytes) -> None:
    ours, theirs = by_bridge(status, location), by_httpx(status, location)
    ours, theirs = ours._replace(url=plain(ours.url)), theirs._replace(url=plain(theirs.url))
    if ours != theirs:
        named = [row.name for row in DIFFERENCES if row.is_met(status, location, ours, theirs)]
        assert named, f"{status} {location!r}: bridge {ours}, httpx {theirs}"


@examples(200)
@given(STATUSES, LOCATIONS)
def test_no_location_leads_to_another_origin_by_any_parser(status: int, location: bytes) -> None:
    going = by_bridge(status, location)
    if going.url:
        assert origin_of(going.url) == origin_of(URL)
        assert not is_elsewhere(going)
