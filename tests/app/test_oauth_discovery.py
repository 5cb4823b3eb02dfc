"""From the 401 to the authorization server: the challenge, RFC 9728, RFC 8414, OpenID Connect, MCP 2025-03-26."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.in_process.site import InProcessSite
from tests.support.oauth.answers import Answer, html, huge, json_body, plain, redirect, trickles
from tests.support.oauth.authority import OAUTH, OIDC, Authority
from tests.support.oauth.protected_server import WELL_KNOWN
from tests.support.oauth.site import LOGIN
from tests.support.oauth.user import asked

pytestmark = pytest.mark.anyio

SLOW = 90.0
"""Seconds, where a server that never answers is given up more than once."""


async def signs_in(site: InProcessSite) -> None:
    async with site.bridge() as host:
        await host.initialize(deadline=LOGIN)
        assert (await host.call("echo")).result
    assert len(site.person.opened) == 1


async def is_refused(site: InProcessSite, *words: str, deadline: float = LOGIN) -> str:
    """Nothing is opened, registered or printed, and the error holds the words."""
    async with site.bridge() as host:
        answer = await site.failed(host, deadline)
        said = str(answer.error["message"])
        for word in words:
            assert word in said
        assert site.person.opened == []
        assert site.printed(host) == []
    assert site.authority.seen("register") == []
    return said


# -- the challenge


@pytest.mark.parametrize(
    "values",
    [
        ['Bearer resource_metadata="URL"'],
        ['bearer  RESOURCE_METADATA = "URL" , error="invalid_token"'],
        ['Basic realm="a, Bearer resource_metadata=\\"https://wrong.example/\\"", Bearer resource_metadata="URL"'],
        ["Negotiate", 'Basic realm="x"', 'Bearer realm="y", resource_metadata="URL"'],
        ["Negotiate, Bearer resource_metadata=URL"],
        ['Bearer error="invalid_token", error_description="no, \\"none\\" at all", resource_metadata="URL", scope=""'],
    ],
    ids=["plain", "other-case", "quoted-comma", "several-fields", "unquoted", "escapes"],
)
async def test_the_metadata_is_where_the_challenge_says(values: list[str]) -> None:
    async with InProcessSite() as site:
        site.server.metadata_paths = ("/some/where/else.json",)
        site.server.challenge = [value.replace("URL", site.server.metadata_url) for value in values]
        await signs_in(site)
        assert site.server.seen_pages() == ["/some/where/else.json"]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (WELL_KNOWN + "/mcp", [WELL_KNOWN + "/mcp"]),
        (WELL_KNOWN, [WELL_KNOWN + "/mcp", WELL_KNOWN]),
    ],
    ids=["path", "root"],
)
@pytest.mark.parametrize("challenge", [[], ["Basic realm=x"]])
async def test_without_a_word_in_the_challenge_the_well_known_places_are_tried(
    challenge: list[str], place: str, expected: list[str]
) -> None:
    async with InProcessSite() as site:
        site.server.metadata_paths = (place,)
        site.server.challenge = challenge
        await signs_in(site)
        assert site.server.seen_pages() == expected


async def test_a_named_place_without_metadata_is_not_the_end() -> None:
    async with InProcessSite() as site:
        site.server.challenge = {"resource_metadata": site.server.origin + "/gone"}
        await signs_in(site)


# -- protected resource metadata


RESOURCES: list[Callable[[InProcessSite], str]] = [
    lambda site: site.server.url,
    lambda site: site.server.url + "/",
    lambda site: site.server.origin,
    lambda site: site.server.origin + "/",
    lambda site: site.server.url.replace("http://", "HTTP://"),
]


@pytest.mark.parametrize("resource", RESOURCES, ids=["same", "slash", "origin", "origin-slash", "upper-case"])
async def test_the_resource_is_sent_byte_for_byte(resource: Callable[[InProcessSite], str]) -> None:
    async with InProcessSite() as site:
        expected = resource(site)
        site.server.metadata_changes = {"resource": expected}
        async with site.bridge() as host:
            await host.initialize(deadline=LOGIN)
            site.authority.ledger.expire_access()
            assert (await host.call("echo")).result
        assert [asked(url)["resource"] for url in site.person.opened] == [expected]
        assert [form["resource"] for form in site.authority.forms("authorization_code")] == [expected]
        assert [form["resource"] for form in site.authority.forms("refresh_token")] == [expected]


OTHER_RESOURCES: list[Callable[[InProcessSite], object]] = [
    lambda _: "https://elsewhere.example/mcp",
    lambda site: site.server.origin + "/mc",
    lambda site: site.server.url + "#part",
    lambda _: None,
]
OTHER_NAMES = ["host", "half-segment", "fragment", "none"]


@pytest.mark.parametrize("resource", OTHER_RESOURCES, ids=OTHER_NAMES)
async def test_metadata_for_another_resource_is_refused(resource: Callable[[InProcessSite], object]) -> None:
    async with InProcessSite() as site:
        site.server.metadata_changes = {"resource": resource(site)}
        await is_refused(site, site.server.metadata_url)
        assert site.authority.requests == []


async def test_the_error_shows_both_resources() -> None:
    async with InProcessSite() as site:
        site.server.metadata_changes = {"resource": "https://elsewhere.example/mcp"}
        await is_refused(site, "https://elsewhere.example/mcp", site.server.url)


async def test_authorization_servers_are_tried_in_order() -> None:
    async with Authority() as dead, InProcessSite() as site:
        gone = dead.issuer
        await dead.http.stop()
        site.server.metadata_changes = {"authorization_servers": [gone, "not a url", site.authority.issuer]}
        await signs_in(site)


# -- authorization server metadata


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", [OAUTH]),
        ("", [OAUTH, OIDC]),
        ("/tenant/1", [OAUTH + "/tenant/1"]),
        ("/tenant/1", [OAUTH + "/tenant/1", OIDC + "/tenant/1"]),
        ("/tenant/1", [OAUTH + "/tenant/1", OIDC + "/tenant/1", "/tenant/1" + OIDC]),
    ],
    ids=["oauth", "oidc", "oauth-inserted", "oidc-inserted", "oidc-appended"],
)
async def test_the_five_places_of_metadata_in_the_standards_order(path: str, expected: list[str]) -> None:
    authority = Authority(path)
    async with InProcessSite(authority) as site:
        authority.metadata_paths = (expected[-1],)
        await signs_in(site)
        assert [request.path for request in authority.seen("metadata")] == expected


@pytest.mark.parametrize("missing", [401, 403, 500])
async def test_a_place_that_refuses_is_not_the_end(missing: int) -> None:
    async with InProcessSite() as site:
        site.authority.metadata_paths = (OIDC,)
        site.authority.missing = html(missing)
        await signs_in(site)


@pytest.mark.parametrize("change", ["slash", "case", "other"])
async def test_an_issuer_that_is_not_identical_is_refused(change: str) -> None:
    async with InProcessSite() as site:
        issuer = {
            "slash": site.authority.issuer + "/",
            "case": site.authority.issuer.replace("http", "HTTP"),
            "other": "https://honest.example",
        }[change]
        site.authority.metadata_changes = {"issuer": issuer}
        await is_refused(site, issuer, site.authority.issuer)


async def test_an_issuer_with_a_slash_of_its_own_is_kept_as_it_is() -> None:
    async with InProcessSite() as site:
        issuer = site.authority.issuer + "/"
        site.server.metadata_changes = {"authorization_servers": [issuer]}
        site.authority.metadata_changes = {"issuer": issuer}
        await signs_in(site)


@pytest.mark.parametrize("methods", [None, ["plain"], []], ids=["absent", "plain", "none"])
async def test_without_s256_nothing_goes_on(methods: list[str] | None) -> None:
    async with InProcessSite() as site:
        site.authority.metadata_changes = {"code_challenge_methods_supported": methods}
        await is_refused(site, "S256", site.authority.issuer)


HOSTILE: dict[str, Callable[[], Answer]] = {
    "huge": huge,
    "html": lambda: html(200),
    "array": lambda: json_body([1, 2]),
    "deep": lambda: plain(200, b"[" * 200_000, "application/json"),
    "not-utf-8": lambda: plain(200, b'{"issuer": "\xff\xfe"}', "application/json"),
    "endless-redirect": lambda: redirect(302, OAUTH),
    "redirect-to-a-file": lambda: redirect(302, "file:///etc/passwd"),
}


@pytest.mark.parametrize("kind", HOSTILE)
async def test_metadata_that_is_none_is_an_error_that_passes(kind: str) -> None:
    async with InProcessSite() as site, site.bridge() as host:
        site.authority.always("metadata", HOSTILE[kind]())
        answer = await site.failed(host, SLOW)
        assert site.authority.issuer in answer.error["message"]
        assert site.person.opened == []
        site.authority.always("metadata", None)
        again = await host.request("initialize", _initialize(), deadline=LOGIN)
        assert again.result


async def test_metadata_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.login.auth_http._TOTAL_SECONDS", 1.0)
    async with InProcessSite() as site, site.bridge() as host:
        site.authority.always("metadata", trickles)
        failure = await site.failed(host, SLOW)
        assert site.authority.issuer in failure.error["message"]


@pytest.mark.parametrize("kind", ["huge", "html", "array", "deep", "endless-redirect"])
async def test_protected_resource_metadata_that_is_none_harms_nobody(kind: str) -> None:
    async with InProcessSite() as site, site.bridge() as host:
        site.server.pages[site.server.metadata_paths[0]] = HOSTILE[kind]()
        await site.failed(host, SLOW)
        assert site.person.opened == []
        site.server.pages.clear()
        assert (await host.request("initialize", _initialize(), deadline=LOGIN)).result


# More of their kind are judged in tests/oauth/test_addresses.py.
ENDPOINTS = [
    "javascript:alert(document.domain)",
    "file:///etc/passwd",
    "http://elsewhere.example/authorize",
]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint"])
async def test_no_endpoint_but_https_or_this_machine_is_used(name: str, endpoint: object) -> None:
    async with InProcessSite() as site:
        site.authority.metadata_changes = {name: endpoint}
        await is_refused(site, name)


async def test_a_bad_registration_endpoint_is_not_used_either() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        site.authority.metadata_changes = {"registration_endpoint": "http://elsewhere.example/register"}
        await site.failed(host)
        assert site.person.opened == []


# -- MCP 2025-03-26


@pytest.mark.parametrize("known", [True, False], ids=["metadata", "default-endpoints"])
async def test_a_server_of_2025_03_26_is_its_own_authority(known: bool) -> None:
    async with InProcessSite() as site:
        site.server.share_origin()
        site.server.challenge = []
        if not known:
            site.authority.metadata_paths = ()
            site.authority.endpoints = {"authorize": "/authorize", "token": "/token", "register": "/register"}
        await signs_in(site)
        await site.sign_in()
        site.authority.ledger.expire_access()
        await site.sign_in()
        assert len(site.person.opened) == 1
        assert site.authority.refreshed == 1


async def test_nothing_of_oauth_at_all_is_an_error_that_says_so() -> None:
    async with InProcessSite() as site:
        site.server.share_origin()
        site.server.challenge = []
        site.authority.metadata_paths = ()
        await is_refused(site, site.server.origin)


def _initialize() -> dict[str, Any]:
    return {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
