"""Which scopes are asked for, what is said where others are granted, and step-up."""

import pytest

from tests.support.in_process.site import InProcessSite
from tests.support.oauth.site import LOGIN
from tests.support.oauth.user import asked, until

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("option", "challenge", "metadata", "expected"),
    [
        ("a b", "c", ["d"], {"a", "b"}),
        (None, "c d", ["e"], {"c", "d"}),
        (None, None, ["e", "f"], {"e", "f"}),
        (None, None, None, None),
        (None, None, [], None),
        (None, "", ["e"], {"e"}),
    ],
    ids=["option", "challenge", "metadata", "omitted", "empty-list", "empty-challenge"],
)
async def test_the_scopes_come_from_the_standards_order(
    option: str | None, challenge: str | None, metadata: list[str] | None, expected: set[str] | None
) -> None:
    async with InProcessSite() as site:
        site.server.challenge = {"scope": challenge}
        site.server.metadata_changes = {"scopes_supported": metadata}
        site.authority.metadata_changes = {"scopes_supported": ["openid", "profile", "email", "x"]}
        await site.sign_in(*(["--scope", option] if option else []))
        scope = asked(site.person.opened[0]).get("scope")
        assert (set(scope.split()) if scope is not None else None) == expected


@pytest.mark.parametrize("listed", [True, False])
async def test_offline_access_is_asked_for_only_where_it_is_listed(listed: bool) -> None:
    async with InProcessSite() as site:
        site.server.challenge = {"scope": "files:read"}
        site.authority.metadata_changes = {"scopes_supported": ["openid", *(["offline_access"] if listed else [])]}
        await site.sign_in()
        scopes = asked(site.person.opened[0])["scope"].split()
        assert sorted(scopes) == (["files:read", "offline_access"] if listed else ["files:read"])
        assert "prompt" not in asked(site.person.opened[0])


async def test_step_up_asks_for_all_there_was_and_what_is_missing() -> None:
    async with InProcessSite() as site:
        site.server.challenge = {"scope": "files:read"}
        site.server.needs = {"tools/call:wild": "files:write"}
        async with site.bridge() as host:
            await site.begin(host)
            assert (await host.call("echo")).result
            assert (await host.call("wild", deadline=LOGIN)).result
            assert (await host.call("wild")).result
            assert (await host.call("echo")).result
        scopes = [set(asked(url)["scope"].split()) for url in site.person.opened]
        assert scopes == [{"files:read"}, {"files:read", "files:write"}]
        assert site.authority.refreshed == 0, "a refresh cannot widen a grant"
        async with site.bridge() as host:
            await host.initialize()
            assert (await host.call("wild")).result
        assert len(site.person.opened) == 2


async def test_step_up_of_several_calls_takes_one_tab() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        site.server.challenge = {"scope": "files:read"}
        site.server.needs = {"tools/call:wild": "files:write"}
        await site.begin(host)
        calls = [await host.ask("tools/call", {"name": "wild", "arguments": {"n": n}}) for n in range(5)]
        for call in calls:
            assert (await host.answer(call, deadline=LOGIN)).result
        assert len(site.person.opened) == 2


async def test_step_up_that_never_suffices_ends_and_names_the_scopes() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        site.server.challenge = {"scope": "files:read"}
        site.server.needs = {"tools/call:wild": "files:write files:admin"}
        site.server.never_enough = {"tools/call:wild"}
        await site.begin(host)
        answer = await host.call("wild", deadline=60)
        assert answer.kind == "unauthorized"
        assert "files:write" in answer.error["message"]
        assert "files:admin" in answer.error["message"]
        tabs = len(site.person.opened)
        assert 2 <= tabs <= 4
        assert len(site.server.seen("tools/call")) <= 4
        assert (await host.call("echo")).result
        again = await host.call("wild", deadline=60)
        assert again.kind == "unauthorized"
        assert len(site.person.opened) <= tabs + 1, "the same refusal is not put before the person for ever"


async def test_step_up_that_is_denied_keeps_what_there_was() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        site.server.challenge = {"scope": "files:read"}
        site.server.needs = {"tools/call:wild": "files:write"}
        await site.begin(host)
        site.authority.denies = {"error": "access_denied", "error_description": "Not this time"}
        answer = await host.call("wild", deadline=LOGIN)
        assert answer.kind == "unauthorized"
        assert "Not this time" in answer.error["message"]
        assert "files:write" in answer.error["message"]
        assert (await host.call("echo")).result
        host.close_stdin()
        assert await host.wait(5) == 0
        await site.sign_in()
        assert len(site.person.opened) == 2


async def test_a_403_without_a_word_about_scopes_is_the_servers_own() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        await site.begin(host)
        site.server.challenge = ['Bearer error="access_denied"']
        site.server.never_enough = {"tools/call:wild"}
        answer = await host.call("wild", deadline=LOGIN)
        assert answer.error["data"]["status"] == 403
        assert len(site.person.opened) == 1


@pytest.mark.parametrize(
    ("wanted", "granted"),
    [
        ("files:read files:write", "files:read"),
        ("files:read files:write", "files:read,files:write"),
        ("org:write", "orgs:write"),
    ],
    ids=["dropped", "delimiter", "misspelt"],
)
async def test_other_scopes_than_asked_for_are_said_at_once(wanted: str, granted: str) -> None:
    async with InProcessSite() as site, site.bridge("--scope", wanted, log="warning") as host:
        site.authority.grants = lambda _: granted
        site.authority.token_changes = {"scope": granted}
        await site.begin(host)
        missing = set(wanted.split()) - set(granted.split())
        await until(lambda: any(scope in said for said in host.stderr for scope in missing), "the missing scopes")


async def test_the_scopes_asked_for_and_granted_need_no_word() -> None:
    async with InProcessSite() as site, site.bridge("--scope", "b a", log="info") as host:
        site.authority.grants = lambda asked_for: " ".join(sorted(asked_for.split()))
        await site.begin(host)
        assert (await host.call("echo")).result
        assert not any("scope" in line for line in host.stderr if "Sign in at" not in line)


async def test_scopes_that_the_answer_does_not_name_are_those_asked_for() -> None:
    """RFC 6749 5.1: the member may be left out where nothing differs."""
    async with InProcessSite() as site, site.bridge("--scope", "a b", log="info") as host:
        site.authority.says_scope = False
        await site.begin(host)
        site.authority.ledger.expire_access()
        assert (await host.call("echo")).result
        assert set(site.authority.forms("refresh_token")[0].get("scope", "a b").split()) == {"a", "b"}
        assert not any("scope" in line for line in host.stderr if "Sign in at" not in line)
