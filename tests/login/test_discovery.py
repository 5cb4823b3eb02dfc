"""From the challenge to the authorization server: which documents are asked for, and which are believed."""

import pytest

from bridge.login.discovery import DiscoveredServers, Discovery
from bridge.oauth.errors import MetadataError, SignInError, Unavailable
from bridge.oauth.resource import ProtectedResource
from tests.login.fake_auth_http import (
    ISSUER,
    NOT_FOUND,
    PAGE,
    SERVER,
    Answer,
    FakeWeb,
    reply,
    resource_document,
    server_document,
)

pytestmark = pytest.mark.anyio

NAMED = "https://mcp.example/about.json"
OWN = "https://mcp.example/.well-known/oauth-protected-resource/v1/mcp"
ROOT = "https://mcp.example/.well-known/oauth-protected-resource"
DOWN = Unavailable("It is down.")
REFUSED = MetadataError("It leads inside.")
NOTHING: list[Answer] = [
    NOT_FOUND,
    PAGE,
    reply(b"", 401),
    reply(b"{}", 403),
    reply(b"{}", 302),
    reply(b"[]"),
    reply(b""),
    reply(b"null"),
]


def named_by(*issuers: str) -> DiscoveredServers:
    """What `find` gives for a server that names these."""
    return DiscoveredServers(ProtectedResource(resource=SERVER, authorization_servers=issuers), issuers)


# -- protected resource metadata


@pytest.mark.parametrize(
    ("named", "place", "asked"),
    [
        (NAMED, NAMED, [NAMED]),
        (NAMED, OWN, [NAMED, OWN]),
        (NAMED, ROOT, [NAMED, OWN, ROOT]),
        (None, OWN, [OWN]),
        (None, ROOT, [OWN, ROOT]),
        (OWN, OWN, [OWN]),
    ],
)
async def test_the_places_in_order(named: str | None, place: str, asked: list[str]) -> None:
    http = FakeWeb({place: resource_document()})
    found = await Discovery(SERVER, http.as_web).find(named)
    assert found.issuers == (ISSUER,)
    assert found.resource is not None
    assert found.resource.resource == SERVER
    assert http.seen("metadata") == asked


@pytest.mark.parametrize("nothing", NOTHING)
async def test_what_is_no_document_is_passed_over(nothing: Answer) -> None:
    http = FakeWeb({NAMED: nothing, OWN: nothing, ROOT: resource_document()})
    assert (await Discovery(SERVER, http.as_web).find(NAMED)).issuers == (ISSUER,)


@pytest.mark.parametrize("nothing", NOTHING)
async def test_without_any_the_servers_own_origin_is_the_issuer(nothing: Answer) -> None:
    http = FakeWeb({NAMED: nothing, OWN: nothing, ROOT: nothing})
    assert await Discovery(SERVER, http.as_web).find(NAMED) == DiscoveredServers(None, ("https://mcp.example",))


async def test_one_that_names_no_server_means_the_origin() -> None:
    http = FakeWeb({OWN: reply({"resource": SERVER})})
    found = await Discovery(SERVER, http.as_web).find(None)
    assert found.issuers == ("https://mcp.example",)
    assert found.resource is not None


async def test_several_servers_are_kept_in_order() -> None:
    issuers = ("https://b.example", "https://a.example/x")
    http = FakeWeb({OWN: resource_document(*issuers)})
    assert (await Discovery(SERVER, http.as_web).find(None)).issuers == issuers


@pytest.mark.parametrize(
    "document",
    [
        resource_document(resource="https://other.example/v1/mcp"),
        resource_document(resource="https://mcp.example/v1/mcpx"),
        resource_document(resource=None),
        reply(b"{broken"),
        reply(b'{"resource": "\xff"}'),
    ],
)
async def test_one_about_another_resource_or_broken_is_not_believed(document: Answer) -> None:
    http = FakeWeb({OWN: document, ROOT: resource_document("https://hostile.example")})
    with pytest.raises(MetadataError, match=r"mcp\.example"):
        await Discovery(SERVER, http.as_web).find(None)


@pytest.mark.parametrize("late", [DOWN, reply(b"", 500), reply(b"{}", 503), reply(b"", 429)])
async def test_one_that_cannot_be_had_now_is_no_reason_to_assume_there_is_none(late: Answer) -> None:
    http = FakeWeb({OWN: late})
    with pytest.raises(Unavailable):
        await Discovery(SERVER, http.as_web).find(None)
    http = FakeWeb({OWN: late, ROOT: resource_document()})
    assert (await Discovery(SERVER, http.as_web).find(None)).issuers == (ISSUER,)


async def test_a_place_that_may_not_be_asked_is_told() -> None:
    http = FakeWeb({NAMED: REFUSED})
    with pytest.raises(MetadataError, match="leads inside"):
        await Discovery(SERVER, http.as_web).find(NAMED)


# -- authorization server metadata

OAUTH, OIDC = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"
TENANT = [f"{ISSUER}{OAUTH}/t", f"{ISSUER}{OIDC}/t", f"{ISSUER}/t{OIDC}"]
PLAIN = [f"{ISSUER}{OAUTH}", f"{ISSUER}{OIDC}"]


@pytest.mark.parametrize(
    ("issuer", "places", "last"),
    [(f"{ISSUER}/t", TENANT, last) for last in range(3)] + [(ISSUER, PLAIN, last) for last in range(2)],
)
@pytest.mark.parametrize("before", [*NOTHING, DOWN, reply(b"", 500)])
async def test_the_five_places_in_order(issuer: str, places: list[str], last: int, before: Answer) -> None:
    http = FakeWeb({**dict.fromkeys(places[:last], before), places[last]: server_document(issuer)})
    server = await Discovery(SERVER, http.as_web).server(issuer, named_by(issuer))
    assert (server.issuer, server.discovered) == (issuer, True)
    assert http.seen("metadata") == places[: last + 1]
    assert [url for verb, url in http.asked if verb == "vet"] == [server.authorization_endpoint, server.token_endpoint]


async def test_a_document_of_another_issuer_is_not_believed_but_the_right_one_may_come_after_it() -> None:
    issuer = f"{ISSUER}/t"
    http = FakeWeb({TENANT[0]: server_document(ISSUER)})
    with pytest.raises(MetadataError, match="issuer"):
        await Discovery(SERVER, http.as_web).server(issuer, named_by(issuer))
    http.pages[TENANT[2]] = server_document(issuer)
    assert (await Discovery(SERVER, http.as_web).server(issuer, named_by(issuer))).issuer == issuer


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": f"{ISSUER}/"},
        {"issuer": "https://AS.example"},
        {"issuer": None},
        {"code_challenge_methods_supported": ["plain"]},
        {"code_challenge_methods_supported": None},
        {"token_endpoint": None},
        {"authorization_endpoint": "http://as.example/in"},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
)
async def test_what_must_not_be_believed_never_leads_to_default_endpoints(changes: dict[str, object]) -> None:
    http = FakeWeb(dict.fromkeys(PLAIN, reply({**dict(_members()), **changes})))
    guessed = DiscoveredServers(None, (ISSUER,))
    for found in (named_by(ISSUER), guessed):
        if found is not guessed or changes != {"issuer": f"{ISSUER}/"}:
            with pytest.raises(MetadataError):
                await Discovery(SERVER, http.as_web).server(ISSUER, found)


def _members() -> dict[str, object]:
    return {
        "issuer": ISSUER,
        "authorization_endpoint": f"{ISSUER}/in",
        "token_endpoint": f"{ISSUER}/coin",
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
    }


@pytest.mark.parametrize("endpoint", ["in", "coin"])
async def test_an_endpoint_that_leads_inside_is_refused(endpoint: str) -> None:
    http = FakeWeb({PLAIN[0]: server_document()})
    http.unwanted[f"{ISSUER}/{endpoint}"] = REFUSED
    with pytest.raises(MetadataError, match="leads inside"):
        await Discovery(SERVER, http.as_web).server(ISSUER, named_by(ISSUER))


@pytest.mark.parametrize("issuer", ["http://as.example", "file:///x", "https://", "https://as.example/#f", "as"])
async def test_an_issuer_that_is_no_https_url_is_not_asked(issuer: str) -> None:
    http = FakeWeb()
    with pytest.raises(MetadataError):
        await Discovery(SERVER, http.as_web).server(issuer, named_by(issuer))
    assert http.asked == []


async def test_a_named_server_without_metadata_is_an_error_that_says_where_it_was_looked_for() -> None:
    http = FakeWeb({OWN: resource_document()})
    discovery = Discovery(SERVER, http.as_web)
    found = await discovery.find(None)
    with pytest.raises(MetadataError) as caught:
        await discovery.server(ISSUER, found)
    for words in (*PLAIN, SERVER, ISSUER):
        assert words in caught.value.message


@pytest.mark.parametrize("late", [DOWN, reply(b"", 502), reply(b"", 429)])
async def test_a_server_that_cannot_be_had_now_may_be_later(late: Answer) -> None:
    http = FakeWeb({PLAIN[0]: late})
    with pytest.raises(Unavailable):
        await Discovery(SERVER, http.as_web).server(ISSUER, DiscoveredServers(None, (ISSUER,)))


# -- servers of 2025-03-26

ORIGIN = "https://mcp.example"


async def test_metadata_at_the_servers_origin() -> None:
    http = FakeWeb({ORIGIN + OAUTH: server_document(ORIGIN)})
    discovery = Discovery(SERVER, http.as_web)
    found = await discovery.find(None)
    server = await discovery.server(found.issuers[0], found)
    assert (server.issuer, server.token_endpoint) == (ORIGIN, ORIGIN + "/coin")


@pytest.mark.parametrize("has_resource", [True, False])
async def test_the_origin_that_nobody_named_may_end_with_a_slash(has_resource: bool) -> None:
    http = FakeWeb({ORIGIN + OAUTH: server_document(ORIGIN, issuer=ORIGIN + "/")})
    if has_resource:
        http.pages[OWN] = reply({"resource": SERVER})
    discovery = Discovery(SERVER, http.as_web)
    found = await discovery.find(None)
    assert (await discovery.server(found.issuers[0], found)).issuer == ORIGIN + "/"


async def test_one_that_was_named_may_not() -> None:
    http = FakeWeb({OWN: resource_document(ORIGIN), ORIGIN + OAUTH: server_document(ORIGIN, issuer=ORIGIN + "/")})
    discovery = Discovery(SERVER, http.as_web)
    with pytest.raises(SignInError, match="issuer"):
        await discovery.server(ORIGIN, await discovery.find(None))


async def test_default_endpoints_where_there_is_nothing() -> None:
    discovery = Discovery(SERVER, FakeWeb().as_web)
    found = await discovery.find(None)
    server = await discovery.server(found.issuers[0], found)
    assert not server.discovered
    assert (server.authorization_endpoint, server.token_endpoint, server.registration_endpoint) == (
        ORIGIN + "/authorize",
        ORIGIN + "/token",
        ORIGIN + "/register",
    )
