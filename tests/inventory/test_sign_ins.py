"""The stored sign-ins: read one by one, and ended, whatever stands in the way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bridge.config import Settings, SignInSettings
from bridge.inventory.sign_ins import SigningOut, stored_sign_ins
from bridge.login.channel import ChannelServer
from bridge.login.channel_messages import LoginCommand, LoginStatus
from bridge.oauth.issuer_binding import Issuers
from bridge.oauth.record import Record, client_key, encode, encode_client, tokens_key
from bridge.store.errors import KeyringUnavailable, StoreError
from bridge.store.memory import MemoryStore
from bridge.store.paths import StorePaths
from bridge.tokens.command_headers import headers_prefix
from bridge.tokens.issuers_file import issuers_file
from bridge.tokens.login_files import LoginFiles, Notice
from bridge.tokens.login_order import login_of
from bridge.tokens.stored_sign_in import read_stored, who
from tests.oauth.samples import (
    ACCESS_TOKEN,
    CLIENT_SECRET,
    ID_TOKEN,
    ISSUER,
    REDIRECT_URI,
    REFRESH_TOKEN,
    client,
    record,
)
from tests.support.servers.fault_http import Exchange, HttpServer
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

SERVER = "http://127.0.0.1:9/mcp"
SLOT = tokens_key(SERVER, "", "", "default")
NOW = 1_000_000.0


class Vault(MemoryStore):
    """Memory with the faults of a keyring."""

    def __init__(self) -> None:
        super().__init__()
        self.unreadable: set[str] = set()
        self.silent: set[str] = set()
        self.stuck: set[str] = set()

    async def load(self, store_key: str) -> bytes | None:
        if store_key in self.silent:
            await asyncio.Event().wait()
        if store_key in self.unreadable:
            raise KeyringUnavailable("it is locked")
        return await super().load(store_key)

    async def delete(self, store_key: str) -> None:
        if store_key in self.stuck:
            raise StoreError("A copy of it stays in the system keyring.")
        await super().delete(store_key)


class Revocation:
    """A revocation and userinfo endpoint."""

    def __init__(self) -> None:
        self.http = HttpServer(self._handle)
        self.status = 200
        self.before: Callable[[], Awaitable[object]] | None = None

    @property
    def forms(self) -> list[str]:
        return [request.body.decode() for request in self.http.requests if request.method == "POST"]

    async def _handle(self, exchange: Exchange) -> None:
        if self.before is not None:
            await self.before()
        body = b'{"error":"server_error"}' if self.status != 200 else b'{"sub":"1","email":"anna@example.com"}'
        await exchange.respond(self.status, body, "application/json")


@pytest.fixture
def store() -> Vault:
    return Vault()


@pytest.fixture
def files(tmp_path: Path) -> LoginFiles:
    return LoginFiles(StorePaths(tmp_path))


@pytest.fixture
async def endpoint() -> AsyncIterator[Revocation]:
    made = Revocation()
    async with made.http:
        yield made


def signed_in(endpoint: Revocation | None = None, **changes: Any) -> Record:
    url = f"{endpoint.http.origin}/revoke" if endpoint else None
    return record(**{"server": SERVER, "revocation_endpoint": url, "expires_at": None, **changes})


def signing_out(store: Vault, files: LoginFiles, concealed: list[str] | None = None) -> SigningOut:
    hidden: list[str] = [] if concealed is None else concealed
    return SigningOut(store, files, add_secret=hidden.append, clock=lambda: NOW)


# -- reading


async def test_every_sign_in_is_listed_and_one_that_cannot_be_read_says_why(store: Vault) -> None:
    other, third = tokens_key(SERVER, "", "", "two"), tokens_key(SERVER, "", "", "three")
    await store.save(SLOT, encode(signed_in()))
    await store.save(other, encode(signed_in(profile="two")))
    await store.save(third, b"nonsense")
    store.unreadable.add(other)
    found = {one.store_key: one for one in await stored_sign_ins(store)}
    assert found[SLOT].record == signed_in()
    assert found[SLOT].problem == ""
    assert "it is locked" in found[other].problem
    assert found[other].record is None
    assert found[third].problem


async def test_a_store_that_gives_no_answer_is_given_up_in_time(store: Vault) -> None:
    await store.save(SLOT, encode(signed_in()))
    store.silent.add(SLOT)
    stored = await read_stored(store, SLOT, 0.01)
    assert stored.record is None
    assert "did not answer" in stored.problem


# -- who it is


async def test_who_is_signed_in_is_asked_of_userinfo_where_no_token_tells(endpoint: Revocation) -> None:
    asked = signed_in(userinfo_endpoint=f"{endpoint.http.origin}/me")
    assert await who(asked) == "anna@example.com"


@pytest.mark.parametrize(
    "changes",
    [{"access_token": ""}, {"issued_at": 1.0, "expires_at": 2.0}, {"userinfo_endpoint": None}],
    ids=["no-token", "ended", "no-endpoint"],
)
async def test_nobody_is_asked_with_a_token_that_is_no_good(endpoint: Revocation, changes: dict[str, Any]) -> None:
    assert await who(signed_in(**{"userinfo_endpoint": f"{endpoint.http.origin}/me", **changes})) == ""
    assert endpoint.http.requests == []


async def test_an_answer_that_does_not_come_is_not_waited_for(endpoint: Revocation) -> None:
    endpoint.before = asyncio.Event().wait
    assert await who(signed_in(userinfo_endpoint=f"{endpoint.http.origin}/me"), seconds=0.05) == ""


# -- signing out


async def test_the_tokens_are_revoked_and_removed(store: Vault, files: LoginFiles, endpoint: Revocation) -> None:
    await store.save(SLOT, encode(signed_in(endpoint)))
    hidden: list[str] = []
    done = await signing_out(store, files, hidden).sign_out(SLOT, Settings(url=SERVER), registration=False)
    assert (done.is_revoked, done.kept_in, done.problems) == (True, store.place(SLOT), ())
    assert [REFRESH_TOKEN in endpoint.forms[0], ACCESS_TOKEN in endpoint.forms[1]] == [True, True]
    assert await store.load(SLOT) is None
    assert {REFRESH_TOKEN, ACCESS_TOKEN} <= set(hidden)


async def test_copies_that_run_are_told_by_the_history(store: Vault, files: LoginFiles) -> None:
    await store.save(SLOT, encode(signed_in()))
    await signing_out(store, files).sign_out(SLOT, registration=False)
    assert files.history(login_of(SLOT)).logged_out_at == NOW


@pytest.mark.parametrize("status", [500, 400, 404])
async def test_they_are_removed_even_where_they_cannot_be_revoked(
    store: Vault, files: LoginFiles, endpoint: Revocation, status: int
) -> None:
    endpoint.status = status
    await store.save(SLOT, encode(signed_in(endpoint)))
    done = await signing_out(store, files).sign_out(SLOT, registration=False)
    assert not done.is_revoked
    [problem] = done.problems
    assert problem.startswith("The tokens could not be revoked: ")
    assert "server_error" in problem
    assert ACCESS_TOKEN not in problem
    assert await store.load(SLOT) is None


async def test_a_server_without_revocation_is_told_of(store: Vault, files: LoginFiles) -> None:
    await store.save(SLOT, encode(signed_in()))
    done = await signing_out(store, files).sign_out(SLOT, registration=False)
    assert done.problems == ("The server offers no revocation, so it may accept the tokens until they expire.",)


async def test_a_record_without_tokens_needs_no_revocation(store: Vault, files: LoginFiles) -> None:
    await store.save(SLOT, encode(signed_in().without_tokens()))
    done = await signing_out(store, files).sign_out(SLOT, registration=False)
    assert (done.kept_in, done.problems) == (store.place(SLOT), ())


async def test_a_record_that_cannot_be_read_is_removed(store: Vault, files: LoginFiles) -> None:
    await store.save(SLOT, encode(signed_in()))
    store.unreadable.add(SLOT)
    done = await signing_out(store, files).sign_out(SLOT, registration=True)
    assert "it is locked" in done.problems[0]
    assert store.keys("tokens") == []


async def test_what_stays_behind_is_told(store: Vault, files: LoginFiles, endpoint: Revocation) -> None:
    await store.save(SLOT, encode(signed_in(endpoint)))
    store.stuck.add(SLOT)
    done = await signing_out(store, files).sign_out(SLOT, registration=False)
    assert done.is_revoked
    assert done.problems == ("A copy of it stays in the system keyring.",)


async def test_the_secret_that_the_user_keeps_is_used_to_revoke(
    store: Vault, files: LoginFiles, endpoint: Revocation
) -> None:
    own = client(kind="static", auth_method="client_secret_post")
    await store.save(SLOT, encode(signed_in(endpoint, client=own)))
    settings = Settings(url=SERVER, sign_in=SignInSettings(client_id="c1", client_secret=CLIENT_SECRET))
    assert (await signing_out(store, files).sign_out(SLOT, settings, registration=False)).is_revoked
    assert all(CLIENT_SECRET in form for form in endpoint.forms)


async def test_nobody_renews_the_token_meanwhile(store: Vault, files: LoginFiles, endpoint: Revocation) -> None:
    found: list[bytes | None] = []
    others: list[asyncio.Task[None]] = []

    async def another() -> None:
        async with store.locked(SLOT, 30):
            found.append(await store.load(SLOT))

    async def begin() -> None:
        others.append(asyncio.create_task(another()))

    endpoint.before = begin
    await store.save(SLOT, encode(signed_in(endpoint)))
    assert (await signing_out(store, files).sign_out(SLOT, registration=False)).is_revoked
    await asyncio.wait_for(asyncio.gather(*others), stretched(5))
    assert found == [None, None]


async def test_what_a_command_had_printed_goes_with_the_sign_in(store: Vault, files: LoginFiles) -> None:
    mine, others = (f"{headers_prefix(url, 'default')}{'0' * 20}" for url in (SERVER, "https://other.example/mcp"))
    for key in (mine, others):
        await store.save(key, b"{}")
    done = await signing_out(store, files).sign_out(SLOT, Settings(url=SERVER), registration=False)
    assert (done.headers_forgotten, done.kept_in, done.is_removed) == (True, "", True)
    assert store.keys("headers") == [others]
    await store.save(mine, b"{}")
    store.stuck.add(mine)
    await store.save(SLOT, encode(signed_in()))
    done = await signing_out(store, files).sign_out(SLOT, registration=False)
    assert (done.headers_forgotten, done.is_removed) == (False, False)
    assert "A copy of it stays in the system keyring." in done.problems
    assert await signing_out(store, files).forget_headers() == (1, ("A copy of it stays in the system keyring.",))
    assert store.keys("headers") == [mine]


async def test_nothing_stored_is_nothing_removed(store: Vault, files: LoginFiles) -> None:
    done = await signing_out(store, files).sign_out(SLOT, registration=True)
    assert (done.login_ended, done.kept_in, done.problems) == (False, "", ())


async def test_what_stayed_behind_the_last_time_is_removed_by_the_next(files: LoginFiles) -> None:
    class Forgetful(Vault):
        def exists_hint(self, store_key: str) -> bool:
            return False  # As once the marker says that the keyring's copy counts no more.

    keyring = Forgetful()
    keyring.stuck.add(SLOT)
    await keyring.save(SLOT, encode(signed_in()))
    stuck = await signing_out(keyring, files).sign_out(SLOT, registration=False)
    assert (stuck.kept_in, stuck.is_removed, len(stuck.problems)) == ("", False, 1)
    keyring.stuck.clear()
    assert (await signing_out(keyring, files).sign_out(SLOT, registration=False)).is_removed
    assert await keyring.load(SLOT) is None


@pytest.mark.parametrize("redirect_uri", [REDIRECT_URI, ""], ids=["browser", "device-code"])
async def test_the_registration_goes_only_where_that_is_wanted(
    store: Vault, files: LoginFiles, redirect_uri: str
) -> None:
    own = client(redirect_uri=redirect_uri)
    mine, other = client_key("https://as.example", redirect_uri), client_key("https://other.example", redirect_uri)
    for store_key in (mine, other):
        await store.save(store_key, encode_client(own))
    for wanted in (False, True):
        await store.save(SLOT, encode(signed_in(client=own)))
        done = await signing_out(store, files).sign_out(SLOT, registration=wanted)
        assert done.registration_forgotten is wanted
        assert (await store.load(mine) is None) is wanted
    assert await store.load(other) is not None
    assert await signing_out(store, files).forget_registrations() == (1, ())
    assert store.keys("client") == []


# -- which authorization server a client of the user's belongs to


def mine(endpoint: Revocation | None = None, issuer: str = ISSUER) -> Record:
    return signed_in(endpoint, issuer=issuer, client=client(client_id="mine", kind="static"))


MINE = tokens_key(SERVER, "mine", "", "default")
SETTINGS = Settings(url=SERVER, sign_in=SignInSettings(client_id="mine", client_secret="planted"))


@pytest.mark.parametrize("settings", [SETTINGS, None], ids=["by-url", "all"])
async def test_signing_out_keeps_it_and_forgetting_the_registration_does_not(
    store: Vault, files: LoginFiles, settings: Settings | None
) -> None:
    issuers = issuers_file(SETTINGS, files.paths)
    for wanted in (False, True):
        await store.save(MINE, encode(mine()))
        done = await signing_out(store, files).sign_out(MINE, settings, registration=wanted)
        assert done.issuer_forgotten == (ISSUER if wanted else "")
        assert issuers.read() == (Issuers() if wanted else Issuers(last=ISSUER, clients={"mine": ISSUER}))


async def test_it_can_be_forgotten_after_signing_out(store: Vault, files: LoginFiles) -> None:
    issuers = issuers_file(SETTINGS, files.paths)
    await issuers.change(lambda kept: kept.bound("mine", ISSUER).bound("another", ISSUER))
    assert not (await signing_out(store, files).sign_out(MINE, SETTINGS, registration=False)).issuer_forgotten
    done = await signing_out(store, files).sign_out(MINE, SETTINGS, registration=True)
    assert (done.issuer_forgotten, done.is_removed, done.problems) == (ISSUER, True, ())
    assert issuers.read().clients == {"another": ISSUER}
    await signing_out(store, files).forget_registrations()
    assert issuers.read() == Issuers()


async def test_a_secret_does_not_go_to_another_one_to_revoke_there(
    store: Vault, files: LoginFiles, endpoint: Revocation
) -> None:
    await store.save(MINE, encode(mine(endpoint, issuer="https://old.example")))
    await issuers_file(SETTINGS, files.paths).change(lambda kept: kept.bound("mine", ISSUER))
    done = await signing_out(store, files).sign_out(MINE, SETTINGS, registration=False)
    assert (done.is_removed, done.is_revoked, endpoint.http.requests) == (True, False, [])
    (problem,) = done.problems
    assert "https://old.example" in problem


# -- a login under way


class LoginProcess:
    """Stands in for one: does as it is told."""

    def __init__(self, store: Vault, *, stops: bool = True) -> None:
        self.words: list[LoginCommand] = []
        self._store = store
        self._stops = stops
        self.server: ChannelServer

    async def hear(self, word: LoginCommand) -> str:
        self.words.append(word)
        if self._stops:
            # It had its tokens already, and stores them now.
            await self._store.save(SLOT, encode(signed_in()))
            self.server.publish_last(*[LoginStatus(phase="failed", failure="stopped", message="Ended.")] * 2)
        return ""


@pytest.mark.parametrize("stops", [True, False], ids=["at-once", "never"])
async def test_a_login_under_way_is_ended_first(
    store: Vault, files: LoginFiles, monkeypatch: pytest.MonkeyPatch, stops: bool
) -> None:
    monkeypatch.setattr("bridge.inventory.sign_ins._STOP_SECONDS", 5.0 if stops else 0.05)
    process = LoginProcess(store, stops=stops)
    process.server = await ChannelServer.start(b"k" * 32, process.hear)
    store_key = login_of(SLOT)
    notice = Notice(
        store_key=store_key,
        pid=1,
        port=process.server.port,
        key=(b"k" * 32).hex(),
        server=SERVER,
        profile="default",
        since=NOW,
    )
    files.put_notice(notice)
    try:
        [found] = await signing_out(store, files).every()
        assert (found.store_key, found.server) == (SLOT, SERVER)
        done = await signing_out(store, files).sign_out(SLOT, registration=False)
    finally:
        await process.server.close()
    assert done.login_ended
    assert [word.want for word in process.words] == ["stop"]
    assert bool(done.kept_in) is stops
    assert store.keys("tokens") == []


async def test_a_notice_that_names_no_slot_is_nothing_to_sign_out_of(store: Vault, files: LoginFiles) -> None:
    notice = Notice(
        store_key="login-0123456789abcdef", pid=1, port=1, key="", server=SERVER, profile="default", since=NOW
    )
    files.put_notice(notice)
    [file] = (files._folder).glob("*.notice")
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(notice, store_key="../x")))
    assert await signing_out(store, files).every() == []


async def test_servers_that_cannot_even_be_asked_keep_no_tokens_there(
    store: Vault, files: LoginFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "nonsense://x")
    monkeypatch.delenv("NO_PROXY", raising=False)
    for store_key, server in ((SLOT, SERVER), (tokens_key("x", "", "", "y"), "no URL")):
        await store.save(store_key, encode(signed_in(server=server, revocation_endpoint="https://as.example/revoke")))
        done = await signing_out(store, files).sign_out(store_key, registration=False)
        assert done.is_removed
        assert done.problems[0].startswith("The tokens could not be revoked: ")
        assert await store.load(store_key) is None


async def test_a_notice_of_a_login_that_is_over_ends_nothing(store: Vault, files: LoginFiles) -> None:
    server = await ChannelServer.start(b"k" * 32, LoginProcess(store).hear)
    await server.close()
    files.put_notice(
        Notice(store_key=login_of(SLOT), pid=1, port=server.port, key="00", server=SERVER, profile="default", since=NOW)
    )
    assert not (await signing_out(store, files).sign_out(SLOT, registration=False)).login_ended


def test_no_secret_shows_in_what_is_known_of_a_sign_in() -> None:
    assert ID_TOKEN not in repr(signed_in(id_token=ID_TOKEN))


@pytest.mark.parametrize("is_readable", [True, False])
async def test_what_the_server_said_to_one_sign_in_only_is_forgotten(
    store: Vault, files: LoginFiles, is_readable: bool
) -> None:
    forgotten: list[str | None] = []

    def forget(server: str | None) -> str:
        forgotten.append(server)
        return "Something stayed."

    await store.save(SLOT, encode(signed_in()))
    if not is_readable:
        store.unreadable.add(SLOT)
    leaving = SigningOut(store, files, add_secret=lambda _: None, forget=forget)
    done = await leaving.sign_out(SLOT, registration=False)
    assert forgotten == [SERVER if is_readable else None]
    assert done.is_removed
    assert done.problems[-1] == "Something stayed."
    await leaving.sign_out(SLOT, Settings(url=SERVER), registration=False)
    assert forgotten[1:] == [SERVER], "also where nobody is signed in any more"
