"""The command `logout`, as a process, after a real sign-in."""

import msgspec
import pytest

from bridge.oauth.record import decode, encode
from tests.support.login_command import run_command, start_command
from tests.support.login_processes import data_folder, no_login_left
from tests.support.oauth_site import LOGIN, Site

pytestmark = pytest.mark.anyio


def secrets_of(site: Site, kind: str = "tokens") -> list[str]:
    folder = data_folder(site.person) / "credentials"
    return sorted(path.name for path in folder.glob(f"{kind}-*.secret"))


async def signed_in(site: Site, *words: str) -> None:
    code, said = await run_command(site, "login", site.server.url, *words)
    assert code == 0, said


async def test_it_removes_what_is_stored_and_warns_where_nothing_can_be_revoked() -> None:
    async with Site() as site:
        await signed_in(site)
        async with start_command(site, "logout", site.server.url) as logout:
            logout.close_stdin()
            assert await logout.wait() == 0, logout.said
            assert logout.out.startswith(f"Signed out of {site.server.url}: the tokens are removed from ")
            assert logout.err.startswith("mcp-remote-bridge: warning: The server offers no revocation")
        assert secrets_of(site) == []
        assert len(secrets_of(site, "client")) == 1


async def test_a_second_time_there_is_nothing_to_do_and_that_is_no_error() -> None:
    async with Site() as site:
        code, said = await run_command(site, "logout", site.server.url)
        assert (code, said) == (0, f"Nobody is signed in to {site.server.url}.\n")


async def test_only_the_profile_that_is_meant_is_signed_out() -> None:
    async with Site() as site:
        await signed_in(site)
        await signed_in(site, "--profile", "work")
        code, said = await run_command(site, "logout", "127.0.0.1", "--profile", "work")
        assert code == 0, said
        assert "(profile work)" in said
        assert len(secrets_of(site)) == 1
        assert "Nobody" in (await run_command(site, "logout", site.server.url, "--profile", "work"))[1]


async def test_all_of_them_with_their_registrations_leave_no_secret() -> None:
    async with Site() as site:
        await signed_in(site)
        await signed_in(site, "--profile", "work")
        code, said = await run_command(site, "logout", "--all", "--registration")
        assert code == 0, said
        assert said.count("Signed out of") == 2
        assert secrets_of(site) == secrets_of(site, "client") == []
        code, said = await run_command(site, "logout", "--all")
        assert (code, said) == (0, "Nobody is signed in to any server.\n")


async def test_with_registration_the_next_login_registers_anew() -> None:
    async with Site() as site:
        await signed_in(site)
        code, said = await run_command(site, "logout", site.server.url, "--registration")
        assert code == 0, said
        assert "registration" in said
        await signed_in(site)
        assert len(site.authority.seen("register")) == 2


async def test_a_login_under_way_is_ended() -> None:
    async with Site() as site, start_command(site, "login", site.server.url, "--no-browser") as login:
        await login.says(site.authority.url("authorize"), LOGIN)
        code, said = await run_command(site, "logout", site.server.url)
        assert (code, said) == (0, f"The sign-in to {site.server.url} that was under way is ended.\n")
        assert await login.wait() == 1
        await no_login_left(site.person)


async def test_a_record_without_tokens_is_removed_too() -> None:
    async with Site() as site:
        await signed_in(site)
        [name] = secrets_of(site)
        path = data_folder(site.person) / "credentials" / name
        record = decode(path.read_bytes())
        assert record is not None
        path.write_bytes(encode(msgspec.structs.replace(record, access_token="", refresh_token="")))
        code, said = await run_command(site, "logout", "127.0.0.1")
        assert code == 0, said
        assert "warning" not in said
        assert secrets_of(site) == []


@pytest.mark.parametrize("words", [(), ("--all", "https://mcp.example/mcp")], ids=["neither", "both"])
async def test_it_wants_a_server_or_all_of_them(words: tuple[str, ...]) -> None:
    async with Site() as site:
        code, said = await run_command(site, "logout", *words)
        assert code == 2
        assert "--all" in said
