"""The command `logout`: what it says and removes, and what it means to a login under way."""

import asyncio
import os
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from bridge.cli.main import main
from bridge.config import Settings, SignInSettings
from bridge.login.account import REVOKED
from bridge.oauth.record import client_key, encode, encode_client, tokens_key
from bridge.store.disk import DiskStore
from bridge.store.errors import StoreError
from bridge.store.file import PrivateFiles
from bridge.store.paths import platform_paths
from bridge.tokens.command_headers import headers_prefix
from bridge.tokens.issuers_file import issuers_file
from tests.oauth.samples import ISSUER, client, record
from tests.support.oauth.site import LOGIN, Site
from tests.support.process.bridge_command import run_command, start_command
from tests.support.process.login_processes import no_login_left
from tests.support.waits import stretched

URL = "https://mcp.linear.app/mcp"
NO_REVOCATION = "mcp-remote-bridge: warning: The server offers no revocation"


class FakeTerminal:
    """A person with stored sign-ins, who types the command."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._files = PrivateFiles(platform_paths().credentials)

    def store(self, profile: str = "default", url: str = URL, **changes: Any) -> None:
        store_key = tokens_key(url, "", "", profile)
        stored = record(server=url, profile=profile, **changes)
        self._files.write(f"{store_key}.secret", encode(stored))
        self._files.write(f"{client_key(ISSUER, '')}.secret", encode_client(stored.client))

    def kept(self, kind: str = "tokens") -> int:
        return len([name for name in self._files.names() if name.startswith(f"{kind}-")])

    def run(self, *words: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(("logout", *words))
        return ended.value.code, *self._capsys.readouterr()


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> FakeTerminal:
    for name in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in [name for name in os.environ if name.startswith(("XDG_", "MCP_BRIDGE_"))]:
        monkeypatch.delenv(name)
    return FakeTerminal(capsys)


@pytest.mark.parametrize("name", [URL, "linear"])
def test_it_removes_what_is_stored_and_warns_where_nothing_can_be_revoked(terminal: FakeTerminal, name: str) -> None:
    terminal.store()
    code, out, err = terminal.run(name)
    assert code == 0
    assert out.startswith(f"Signed out of {URL}: the tokens were removed from ")
    assert err.startswith(NO_REVOCATION)
    assert (terminal.kept(), terminal.kept("client")) == (0, 1)


def test_a_second_time_there_is_nothing_to_do_and_that_is_no_error(terminal: FakeTerminal) -> None:
    assert terminal.run(URL) == (0, f"You are not signed in to {URL}.\n", "")


def test_only_the_profile_that_is_meant_is_signed_out(terminal: FakeTerminal) -> None:
    terminal.store()
    terminal.store("work")
    code, out, _ = terminal.run("linear", "--profile", "work")
    assert code == 0
    assert f"{URL} (profile work)" in out
    assert terminal.kept() == 1
    assert terminal.run(URL, "--profile", "work")[1].startswith("You are not signed in to ")


def test_all_of_them_with_their_registrations_leave_nothing(terminal: FakeTerminal) -> None:
    terminal.store()
    terminal.store("work")
    terminal.store(url="https://mcp.notion.com/mcp", client=client(client_id="c2"))
    code, out, _ = terminal.run("--all", "--registration")
    assert code == 0
    assert out.count("Signed out of") == 3
    assert (terminal.kept(), terminal.kept("client")) == (0, 0)
    assert terminal.run("--all") == (0, "You are not signed in to any server.\n", "")


def test_a_registration_that_is_left_alone_goes_with_all(terminal: FakeTerminal) -> None:
    terminal.store()
    terminal.run(URL)
    assert "--all" in terminal.run(URL, "--registration")[1]
    assert terminal.kept("client") == 1
    assert "Other registrations forgotten: 1." in terminal.run("--all", "--registration")[1]
    assert terminal.kept("client") == 0


def test_where_a_client_belongs_is_forgotten_with_the_registration_only(terminal: FakeTerminal) -> None:
    own = Settings(url=URL, sign_in=SignInSettings(client_id="mine"))
    issuers = issuers_file(own, platform_paths())
    asyncio.run(issuers.change(lambda kept: kept.bound("mine", ISSUER)))
    words = issuers.forget.split()[2:]
    assert words == [URL, "--client-id", "mine", "--registration"]
    assert terminal.run(*words[:-1]) == (0, f"You are not signed in to {URL}.\n", "")
    assert issuers.read().clients == {"mine": ISSUER}
    code, out, err = terminal.run(*words)
    assert (code, err) == (0, "")
    assert f"The bridge forgot that the client belongs to {ISSUER}." in out
    assert "--all" not in out
    assert issuers.read().clients == {}
    asyncio.run(issuers.change(lambda kept: kept.bound("mine", ISSUER)))
    assert terminal.run("--all", "--registration")[0] == 0
    assert issuers.read().clients == {}


def test_what_cannot_be_read_is_removed_with_the_rest(terminal: FakeTerminal) -> None:
    terminal.store()
    PrivateFiles(platform_paths().credentials).write(f"{tokens_key('x', '', '', 'y')}.secret", b"nonsense")
    code, out, err = terminal.run("--all")
    assert code == 0
    assert "an unknown server" in out
    assert "cannot be read" in err
    assert terminal.kept() == 0


def test_a_record_without_tokens_goes_without_a_warning(terminal: FakeTerminal) -> None:
    terminal.store(access_token="", refresh_token="")
    code, out, err = terminal.run("linear")
    assert (code, err) == (0, "")
    assert out.startswith("Signed out of")
    assert terminal.kept() == 0


def test_what_cannot_be_removed_is_not_said_to_be_and_the_rest_goes(
    terminal: FakeTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def delete(self: PrivateFiles, name: str) -> None:
        if name.startswith(stuck):
            raise StoreError(f"{name} cannot be removed: Permission denied.")
        really(self, name)

    really = PrivateFiles.delete
    stuck = tokens_key(URL, "", "", "work")
    monkeypatch.setattr(PrivateFiles, "delete", delete)
    for profile in ("default", "home", "work"):
        terminal.store(profile)
    for words in (("--all",), (URL, "--profile", "work")):
        code, out, err = terminal.run(*words)
        assert code == 1
        assert f"error: The tokens for {URL} (profile work) could not all be removed." in err
        assert "Permission denied" in err
        assert "work" not in out
        assert terminal.kept() == 1


def test_a_lock_that_is_not_to_be_had_keeps_no_tokens_there(
    terminal: FakeTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(self: DiskStore, store_key: str, timeout: float) -> AbstractAsyncContextManager[None]:
        raise StoreError("The lock cannot be taken: Permission denied.")

    monkeypatch.setattr(DiskStore, "locked", locked)
    terminal.store()
    terminal.store("work")
    code, out, _ = terminal.run("--all")
    assert (code, out.count("Signed out of"), terminal.kept()) == (0, 2, 0)


def test_of_all_of_them_none_waits_for_another(terminal: FakeTerminal, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    async def revoke(*_: object) -> str:
        nonlocal asked
        asked += 1
        together.set() if asked == 3 else None
        await asyncio.wait_for(together.wait(), stretched(10))
        return REVOKED

    together = asyncio.Event()
    monkeypatch.setattr("bridge.login.account.revoke", revoke)
    for profile in ("default", "home", "work"):
        terminal.store(profile)
    code, out, _ = terminal.run("--all")
    assert (code, out.count("revoked, and removed")) == (0, 3)


def test_the_options_of_another_sign_in_to_the_server_are_told(terminal: FakeTerminal) -> None:
    terminal.store("work")
    other = "There is another sign-in to this server; to sign out of that one, run:"
    assert terminal.run(URL) == (
        0,
        f"You are not signed in to {URL}.\n{other} mcp-remote-bridge logout {URL} --profile work\n",
        "",
    )
    assert terminal.kept() == 1


@pytest.mark.parametrize("words", [(), ("--all", URL)], ids=["neither", "both"])
def test_it_wants_a_server_or_all_of_them(terminal: FakeTerminal, words: tuple[str, ...]) -> None:
    code, out, err = terminal.run(*words)
    assert (code, out) == (2, "")
    assert "--all" in err


@pytest.mark.anyio
async def test_with_registration_the_next_login_registers_anew() -> None:
    async with Site() as site:
        await site.sign_in()
        code, said = await run_command(site, "logout", "127.0.0.1", "--registration")
        assert code == 0, said
        assert "registration" in said
        assert (await run_command(site, "login", site.server.url))[0] == 0
        assert len(site.authority.seen("register")) == 2


@pytest.mark.anyio
async def test_a_login_under_way_is_ended() -> None:
    async with Site() as site, start_command(site, "login", site.server.url, "--no-browser") as login:
        await login.says(site.authority.url("authorize"), LOGIN)
        code, said = await run_command(site, "logout", site.server.url)
        assert (code, said) == (0, f"Stopped the sign-in to {site.server.url} that was in progress.\n")
        assert await login.wait() == 1
        await no_login_left(site.person)


@pytest.mark.parametrize("words", [(URL,), ("--all",)])
def test_what_a_command_had_printed_is_removed_and_told(terminal: FakeTerminal, words: tuple[str, ...]) -> None:
    key = f"{headers_prefix(URL, 'default')}{'0' * 20}"
    terminal._files.write(f"{key}.secret", b"{}")
    code, out, _ = terminal.run(*words)
    assert code == 0
    assert "command" in out
    assert "were removed." in out
    assert "not signed in" not in out
    assert terminal.kept("headers") == 0
