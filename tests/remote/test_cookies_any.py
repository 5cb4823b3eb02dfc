"""Any cookies of one origin, kept by the bridge and by httpx (Python's `http.cookiejar`): the same go along, or the
difference is one of these.

| difference | the bridge | httpx | why |
|---|---|---|---|
| a domain that is not the server's | kept | not kept | `Domain` is not read: a cookie goes to the one origin only |
| an age that is no number | no end | not kept | the attribute is ignored (RFC 6265, 5.2.2) |
| a path that does not begin with `/` | the request's folder | kept, never sent | it is ignored (RFC 6265, 5.2.4) |
| an attribute that comes twice | the last counts | the first counts | as the standard has it (RFC 6265, 5.3) |
| `Path` alone | the request's folder | not kept | it is empty, so it is ignored (RFC 6265, 5.2.4) |
| set and taken back in one response | taken back | stays | the later header counts (RFC 6265, 5.3) |
| `Version=1` | ignored | by the older RFC 2109 | the attribute is gone (RFC 6265, 5.2) |
| a name without `=` | not kept | kept | it is no cookie (RFC 6265, 5.2) |
| bytes beyond ASCII | as they came | cannot be sent | a server gets back what it set |
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.remote.cookies import Cookies
from tests.support.examples import examples


class Script(NamedTuple):
    """Responses to requests for a path, each with `Set-Cookie` values; then a request, over TLS or not."""

    responses: tuple[tuple[str, tuple[bytes, ...]], ...]
    path: str
    secure: bool


UNSENDABLE = ["cannot be sent"]


def by_bridge(script: Script) -> list[str]:
    cookies = Cookies()
    for path, headers in script.responses:
        cookies.store(path, headers)
    return pairs(cookies.header(script.path, secure=script.secure))


def by_httpx(script: Script) -> list[str]:
    origin = f"{'https' if script.secure else 'http'}://mcp.example"
    jar = httpx.Cookies()
    for path, headers in script.responses:
        request = httpx.Request("POST", origin + path)
        jar.extract_cookies(httpx.Response(200, headers=[(b"set-cookie", each) for each in headers], request=request))
    request = httpx.Request("POST", origin + script.path)
    try:
        jar.set_cookie_header(request)
    except UnicodeEncodeError:
        return UNSENDABLE
    return pairs(request.headers.get("cookie", ""))


def pairs(header: str) -> list[str]:
    return header.split("; ") if header else []


class Difference(NamedTuple):
    """One row of the table: what a `Set-Cookie` has that meets it, an example, and what both make of that."""

    name: str
    is_met: Callable[[bytes], bool]
    example: bytes
    ours: list[str]
    theirs: list[str]


def named(header: bytes) -> list[bytes]:
    """The attributes' names."""
    return [attribute.partition(b"=")[0].strip().lower() for attribute in header.split(b";")[1:]]


DIFFERENCES = [
    Difference(
        "a domain that is not the server's",
        lambda header: b"Domain=" in header,
        b"a=1; Domain=other.example",
        ["a=1"],
        [],
    ),
    Difference(
        "an age that is no number",
        lambda header: re.search(rb"Max-Age=(?!-?\d)", header) is not None,
        b"a=1; Max-Age=soon",
        ["a=1"],
        [],
    ),
    Difference(
        "a path that does not begin with `/`",
        lambda header: b"Path=relative" in header,
        b"a=1; Path=relative",
        ["a=1"],
        [],
    ),
    Difference(
        "an attribute that comes twice",
        lambda header: len(attributes := named(header)) > len(set(attributes)),
        b"a=1; Path=/other; Path=/",
        ["a=1"],
        [],
    ),
    Difference(
        "`Path` alone",
        lambda header: re.search(rb"(?i); *Path *(?:;|$)", header) is not None,
        b"a=1; Path",
        ["a=1"],
        [],
    ),
    Difference("`Version=1`", lambda header: b"Version=" in header, b"a=1; Version=1", ["a=1"], []),
    Difference("a name without `=`", lambda header: b"=" not in header.partition(b";")[0], b"a", [], ["a"]),
    Difference(
        "bytes beyond ASCII",
        lambda header: not header.isascii(),
        b"a=\xc3\xbc",
        ["a=\u00c3\u00bc"],
        UNSENDABLE,
    ),
]


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.name)
def test_each_difference_is_there(difference: Difference) -> None:
    script = Script((("/v1/mcp", (difference.example,)),), "/v1", secure=False)
    assert (by_bridge(script), by_httpx(script)) == (difference.ours, difference.theirs)


def test_what_is_set_and_taken_back_in_one_response_is_gone_here_only() -> None:
    script = Script((("/mcp", (b"a=1", b"a=; Max-Age=0")),), "/mcp", secure=False)
    assert (by_bridge(script), by_httpx(script)) == ([], ["a=1"])


PATHS = st.sampled_from(["/", "/mcp", "/mcp/", "/mcp/sub", "/mcps", "/a/b/c", "/a/b", "/a"])
NAMES = st.sampled_from([b"a", b"b", b"A", b"__Host-c", b" d "])
VALUES = st.sampled_from([b"=1", b"=2", b"=", b"= x ", b'="q q"', b"=b=c", b"=1,2", b"", b"=\xc3\xbc"])
ATTRIBUTES = st.sampled_from(
    [
        *[b"Path=/", b"Path=/mcp", b"path=/mcp/", b"PATH=/a/b", b"Path=", b"Path=relative", b" Path = /a ", b"Path"],
        *[b"Secure", b"HttpOnly", b"SameSite=Lax", b"Version=1", b"", b"Comment=it", b"Port=80"],
        *[b"Max-Age=0", b"Max-Age=-1", b"Max-Age=3600", b"max-age=99999999", b"Max-Age=soon", b"Max-Age="],
        *[b"Expires=Thu, 01 Jan 1970 00:00:00 GMT", b"Expires=Wed, 21 Oct 2099 07:28:00 GMT", b"Expires=soon"],
        *[b"Domain=mcp.example", b"Domain=other.example", b"Domain=example"],
    ]
)
HEADERS = st.builds(
    lambda name, value, attributes: b"; ".join([name + value, *attributes]),
    NAMES,
    VALUES,
    st.lists(ATTRIBUTES, max_size=3),
)
ONE_OF_EACH_NAME = st.lists(HEADERS, max_size=3, unique_by=lambda header: re.split(b"[=;]", header)[0].strip())
"""As what is set and taken back in one response is a difference."""
RESPONSES = st.lists(st.tuples(PATHS, ONE_OF_EACH_NAME.map(tuple)), min_size=1, max_size=5).map(tuple)
SCRIPTS = st.builds(Script, RESPONSES, PATHS, st.booleans())


def without(script: Script, differences: list[Difference]) -> Script:
    """The script without the cookies that meet a difference."""
    responses = tuple(
        (path, tuple(each for each in headers if not any(row.is_met(each) for row in differences)))
        for path, headers in script.responses
    )
    return script._replace(responses=responses)


@examples(150)
@given(SCRIPTS)
def test_any_cookies(script: Script) -> None:
    plain = without(script, DIFFERENCES)
    assert sorted(by_bridge(plain)) == sorted(by_httpx(plain))
