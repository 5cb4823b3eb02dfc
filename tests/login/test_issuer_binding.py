"""A sign-in is held to the authorization server that its client belongs to, and tells where that is another one."""

import logging

import pytest

from bridge.errors import BridgeError
from bridge.oauth.client import Client
from bridge.oauth.errors import SignInError
from bridge.oauth.issuer_binding import Issuers
from bridge.oauth.record import Record
from bridge.store.errors import StoreError
from tests.login.fake_auth_http import ISSUER, NOT_FOUND, SERVER, reply, resource_document, server_document
from tests.login.signing_in import GRANT, OWN, PLACE, Flow, leaves, site

pytestmark = pytest.mark.anyio

HOSTILE = "https://hostile.example"


def names(flow: Flow, *issuers: str) -> None:
    """Let the server name these authorization servers, each of which would do."""
    for issuer in issuers:
        flow.http.pages |= {url: page for url, page in site(issuer).items() if url != OWN}
        flow.http.pages[issuer + PLACE] = server_document(issuer)
    flow.http.pages[OWN] = resource_document(*issuers)


def asked_at(flow: Flow) -> set[str]:
    """The sites that anything was posted to."""
    return {url.rpartition("/")[0] for url, *_ in flow.http.posted}


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch) -> Flow:
    return Flow(monkeypatch, client_id="mine", client_secret="planted-secret")


# -- the first issuer, and another


async def test_the_first_one_is_kept_and_named(mine: Flow, caplog: pytest.LogCaptureFixture) -> None:
    await mine.run()
    assert mine.issuers.kept == Issuers(last=ISSUER, clients={"mine": ISSUER})
    (told,) = [record for record in caplog.records if "for the first time" in record.getMessage()]
    assert told.levelno == logging.WARNING
    for words in ("The secret of the client mine", ISSUER, f"--issuer {ISSUER}"):
        assert words in told.getMessage()
    caplog.clear()
    await mine.run()
    assert "for the first time" not in caplog.text


async def test_another_is_refused_with_both_though_nothing_is_stored_of_the_sign_in(mine: Flow) -> None:
    await mine.run()
    mine.http.posted.clear()
    names(mine, HOSTILE)
    with pytest.raises(SignInError) as caught:
        await mine.run(previous=None)
    for words in (SERVER, ISSUER, HOSTILE, "mine"):
        assert words in caught.value.message
    for words in (f"--issuer {HOSTILE}", mine.issuers.forget):
        assert words in caught.value.hint
    assert (mine.http.posted, len(mine.opened)) == ([], 1)


async def test_what_the_refusal_says_to_pass_is_taken_and_kept(
    mine: Flow, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await mine.run()
    new = "https://new.example"
    names(mine, new)
    again = Flow(monkeypatch, mine.http, client_id="mine", client_secret="planted-secret", issuer=new)
    again.issuers = mine.issuers
    caplog.clear()
    assert (await again.run(previous=mine.kept[-1])).issuer == new
    assert mine.issuers.kept == Issuers(last=new, clients={"mine": new})
    assert again.asks[-1].warnings == (), "the user ordered it"
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_the_bound_one_is_chosen_wherever_it_stands(mine: Flow) -> None:
    await mine.run()
    mine.http.posted.clear()
    names(mine, HOSTILE, ISSUER)
    assert (await mine.run(previous=None)).issuer == ISSUER
    assert asked_at(mine) == {ISSUER}


async def test_one_that_nobody_names_any_more_is_checked_by_what_it_calls_itself(
    mine: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without protected resource metadata the server's own origin is its authorization server (MCP 2025-03-26)."""
    await mine.run()
    mine.http.posted.clear()
    origin = "https://mcp.example"
    mine.http.pages[OWN] = NOT_FOUND
    mine.http.pages |= {url: page for url, page in site(origin).items() if url != OWN}
    mine.http.pages[origin + PLACE] = server_document(f"{origin}/")
    mine.http.pages[f"{origin}//coin"] = reply(GRANT)
    with pytest.raises(SignInError, match="belongs to"):
        await mine.run()
    assert mine.http.posted == []
    first = Flow(monkeypatch, mine.http, client_id="mine", issuer=f"{origin}/")
    assert (await first.run()).issuer == f"{origin}/"


async def test_another_client_is_another_one(mine: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    await mine.run()
    other = Flow(monkeypatch, mine.http, client_id="another")
    other.issuers = mine.issuers
    names(other, "https://new.example")
    assert (await other.run()).issuer == "https://new.example"
    assert mine.issuers.kept.clients == {"mine": ISSUER, "another": "https://new.example"}


async def test_one_without_a_secret_is_bound_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch, client_id="mine")
    await flow.run()
    names(flow, HOSTILE)
    with pytest.raises(SignInError, match="belongs to"):
        await flow.run()


async def test_a_sign_in_that_nobody_finishes_binds_nothing(mine: Flow) -> None:
    """The user may have closed the tab because the authorization server is the wrong one."""
    names(mine, HOSTILE)
    mine.settings = type(mine.settings)(client_id="mine", client_secret="planted-secret", login_timeout=0.05)
    mine.deeds = [leaves]
    with pytest.raises(SignInError):
        await mine.run()
    assert mine.issuers.kept == Issuers()
    assert mine.http.posted == []


async def test_a_record_from_before_anything_was_kept_binds(mine: Flow) -> None:
    names(mine, HOSTILE)
    old = Record(
        server=SERVER,
        profile="default",
        resource=SERVER,
        issuer=ISSUER,
        token_endpoint=f"{ISSUER}/coin",
        client=Client(client_id="mine", kind="static"),
    )
    with pytest.raises(SignInError, match="belongs to"):
        await mine.run(previous=old)
    assert mine.http.posted == []


async def test_of_two_sign_ins_at_once_the_first_binds(mine: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both began when nothing was kept; the other one has shown the client meanwhile."""
    names(mine, HOSTILE)

    def meanwhile(asked: dict[str, str]) -> dict[str, str]:
        mine.issuers.kept = Issuers(clients={"mine": ISSUER})
        return {"code": "the-code", "state": asked["state"]}

    mine.deeds = [meanwhile]
    with pytest.raises(SignInError, match="belongs to"):
        await mine.run()
    assert mine.http.posted == []
    assert mine.pages[0].status == 400


# -- the option


async def test_the_option_holds_whatever_was_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch, client_id="mine", client_secret="planted-secret", issuer=ISSUER)
    names(flow, HOSTILE)
    flow.issuers.kept = Issuers(last=HOSTILE, clients={"mine": HOSTILE})
    with pytest.raises(SignInError) as caught:
        await flow.run()
    for words in (HOSTILE, f"--issuer allows only {ISSUER}"):
        assert words in caught.value.message
    assert flow.http.posted == []
    names(flow, HOSTILE, ISSUER)
    assert (await flow.run()).issuer == ISSUER
    assert asked_at(flow) == {ISSUER}


async def test_the_option_holds_for_a_client_that_registers_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch, issuer=ISSUER)
    names(flow, HOSTILE)
    with pytest.raises(SignInError, match="--issuer allows only"):
        await flow.run()
    assert flow.http.posted == []


# -- what is kept is damaged, or cannot be kept


DAMAGED = StoreError("/data/server-0.issuers is damaged.")


async def test_where_it_cannot_be_read_the_client_is_shown_to_nobody(mine: Flow) -> None:
    mine.issuers.read_problem = DAMAGED
    with pytest.raises(SignInError) as caught:
        await mine.run()
    assert "/data/server-0.issuers is damaged" in caught.value.message
    assert "--issuer URL" in caught.value.hint
    assert mine.issuers.forget in caught.value.hint
    assert (mine.http.posted, mine.opened) == ([], [])


async def test_where_it_cannot_be_read_the_option_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch, client_id="mine", client_secret="planted-secret", issuer=ISSUER)
    flow.issuers.read_problem = DAMAGED
    assert (await flow.run()).issuer == ISSUER
    assert flow.issuers.kept == Issuers(), "what cannot be read is not written over"


async def test_a_client_that_registers_itself_needs_it_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    flow = Flow(monkeypatch)
    flow.issuers.read_problem = DAMAGED
    assert (await flow.run()).issuer == ISSUER
    assert "is damaged" in caplog.text


async def test_where_it_cannot_be_kept_the_user_is_told(mine: Flow, caplog: pytest.LogCaptureFixture) -> None:
    mine.issuers.change_problem = BridgeError("The disk is full.")
    assert (await mine.run()).issuer == ISSUER
    (told,) = [text for text in caplog.messages if "The disk is full." in text]
    assert "--issuer" in told


async def test_where_it_cannot_be_kept_what_another_sign_in_kept_counts(mine: Flow) -> None:
    names(mine, HOSTILE)
    mine.issuers.change_problem = BridgeError("Another bridge has been at work for 10 s.")

    def meanwhile(asked: dict[str, str]) -> dict[str, str]:
        mine.issuers.kept = Issuers(clients={"mine": ISSUER})
        return {"code": "the-code", "state": asked["state"]}

    mine.deeds = [meanwhile]
    with pytest.raises(SignInError, match="belongs to"):
        await mine.run()
    assert mine.http.posted == []


# -- another authorization server than the last time


async def test_another_than_the_last_time_is_told_before_the_tab_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    flow = Flow(monkeypatch)
    await flow.run()
    assert (flow.asks[0].warnings, flow.asks[0].shown_first) == ((), "")
    names(flow, HOSTILE)
    caplog.clear()
    await flow.run(previous=None)
    asked = flow.asks[1]
    (warning,) = asked.warnings
    for words in (SERVER, ISSUER, HOSTILE):
        assert words in warning
    (told,) = [record for record in caplog.records if record.getMessage() == warning]
    assert told.levelno == logging.WARNING
    assert asked.url.startswith(f"{HOSTILE}/in?")
    assert asked.shown_first.startswith(f"http://127.0.0.1:{flow.port}/")
    caplog.clear()
    await flow.run(previous=None)
    assert flow.asks[2].warnings == (), "the user went on"


async def test_it_is_told_again_until_the_user_has_gone_on(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch)
    await flow.run()
    names(flow, HOSTILE)
    patient = flow.settings
    for _ in range(2):
        flow.settings = type(patient)(login_timeout=0.05)
        flow.deeds = [leaves]
        with pytest.raises(SignInError):
            await flow.run()
        assert HOSTILE in flow.asks[-1].warnings[0]


async def test_a_stored_sign_in_tells_the_last_time_too(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch)
    record = await flow.run()
    flow.issuers.kept = Issuers()
    names(flow, HOSTILE)
    await flow.run(previous=record)
    assert len(flow.asks[-1].warnings) == 1


async def test_what_was_told_of_one_that_failed_is_not_told_of_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch)
    await flow.run()
    names(flow, HOSTILE, "https://new.example")
    flow.http.pages[f"{HOSTILE}/new"] = reply({"error": "invalid_client_metadata"}, 400)
    await flow.run()
    (warning,) = flow.asks[-1].warnings
    assert "https://new.example" in warning
    assert HOSTILE not in warning


async def test_of_several_the_one_of_the_last_time_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch)
    await flow.run()
    names(flow, HOSTILE, ISSUER)
    assert (await flow.run()).issuer == ISSUER
    assert flow.asks[-1].warnings == ()


async def test_a_sign_in_by_a_code_tells_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch, grant="device-code")
    flow.issuers.kept = Issuers(last=HOSTILE)
    flow.http.pages[ISSUER + PLACE] = server_document(device_authorization_endpoint=f"{ISSUER}/device")
    flow.http.pages[f"{ISSUER}/device"] = reply(
        {"device_code": "d", "user_code": "AB", "verification_uri": f"{ISSUER}/go", "expires_in": 9, "interval": 0.01}
    )
    flow.http.pages[f"{ISSUER}/coin"] = reply(GRANT)
    flow.deeds = [leaves]
    await flow.run()
    (asked,) = flow.asks
    assert (len(asked.warnings), asked.shown_first) == (1, "")


async def test_by_a_code_a_client_is_bound_before_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch, grant="device-code", client_id="mine", client_secret="planted-secret")
    flow.http.pages[ISSUER + PLACE] = server_document(device_authorization_endpoint=f"{ISSUER}/device")
    bound: list[Issuers] = []

    def refuse(_: bytes) -> SignInError:
        bound.append(flow.issuers.kept)
        return SignInError("No codes today.")

    flow.http.pages[f"{ISSUER}/device"] = refuse
    with pytest.raises(SignInError, match="No codes today"):
        await flow.run()
    assert bound == [Issuers(clients={"mine": ISSUER})]
