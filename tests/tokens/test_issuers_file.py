"""The authorization servers that were used at a server: kept on disk, for all copies, through any sign-out."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.config import Settings, SignInSettings
from bridge.oauth.errors import SignInError
from bridge.oauth.issuer_binding import Issuers
from bridge.store.errors import StoreError
from bridge.store.paths import StorePaths
from bridge.tokens.issuers_file import IssuersFile, check_issuer_of, drop_every, issuers_file
from tests.oauth.samples import ISSUER, SERVER_URL, client, record

pytestmark = pytest.mark.anyio

OTHER = "https://other.example"


@pytest.fixture
def paths(tmp_path: Path) -> StorePaths:
    return StorePaths(tmp_path / "data")


def file(paths: StorePaths, profile: str = "default") -> IssuersFile:
    return IssuersFile(paths, SERVER_URL, profile)


def path(paths: StorePaths) -> Path:
    (found,) = paths.logins.glob("*.issuers")
    return found


def settings(**own: str) -> Settings:
    return Settings(url=SERVER_URL, sign_in=SignInSettings(**own))  # type: ignore[arg-type]


async def test_what_is_kept_is_found_by_another_process_and_only_in_its_profile(paths: StorePaths) -> None:
    assert file(paths).read() == Issuers()
    await file(paths).change(lambda issuers: issuers.bound("mine", ISSUER))
    assert file(paths).read() == Issuers(clients={"mine": ISSUER})
    assert file(paths, "two").read() == Issuers()


async def test_changes_of_many_at_once_all_count(paths: StorePaths) -> None:
    def adding(name: str) -> Callable[[Issuers], Issuers]:
        return lambda issuers: issuers.bound(name, ISSUER)

    await asyncio.gather(*(file(paths).change(adding(f"c{number}")) for number in range(8)))
    assert len(file(paths).read().clients) == 8


async def test_of_many_that_bind_one_client_at_once_one_is_first(paths: StorePaths) -> None:
    def bind(issuer: str) -> asyncio.Task[None]:
        def change(issuers: Issuers) -> Issuers:
            if issuers.clients.get("mine", issuer) != issuer:
                raise SignInError("It belongs to another.")
            return issuers.bound("mine", issuer)

        return asyncio.create_task(file(paths).change(change))

    done = await asyncio.gather(*(bind(f"https://{n}.example") for n in range(6)), return_exceptions=True)
    assert sum(isinstance(one, SignInError) for one in done) == 5


@pytest.mark.skipif(os.name != "posix", reason="Windows protects the folder of the user instead")
async def test_nobody_else_can_read_or_write_it(paths: StorePaths) -> None:
    await file(paths).change(lambda issuers: issuers.bound("mine", ISSUER))
    assert path(paths).stat().st_mode & 0o077 == 0
    path(paths).chmod(0o622)
    with pytest.raises(StoreError, match="does not trust it"):
        file(paths).read()


@pytest.mark.parametrize("damaged", [b"", b"{", b'{"format":2}', b"\xff\xff"])
async def test_what_is_damaged_says_so_with_its_path_and_is_not_written_over_but_can_be_dropped(
    damaged: bytes, paths: StorePaths
) -> None:
    await file(paths).change(lambda issuers: issuers.bound("mine", ISSUER))
    path(paths).write_bytes(damaged)
    with pytest.raises(StoreError) as caught:
        file(paths).read()
    assert str(path(paths)) in caught.value.message
    with pytest.raises(StoreError):
        await file(paths).change(lambda issuers: issuers.bound("another", OTHER))
    assert path(paths).read_bytes() == damaged, "else the client in it would be bound anew at its next use"
    assert await file(paths).drop("mine") == ""
    assert file(paths).read() == Issuers()


async def test_a_client_is_dropped_without_the_others(paths: StorePaths) -> None:
    await file(paths).change(lambda _: Issuers(last=ISSUER, clients={"mine": ISSUER, "other": OTHER}))
    assert await file(paths).drop("mine") == ISSUER
    assert file(paths).read() == Issuers(clients={"other": OTHER})
    assert await file(paths).drop(None) == ""
    assert file(paths).read() == Issuers(clients={"other": OTHER})
    assert await file(paths).drop("other") == OTHER
    assert list(paths.logins.glob("*.issuers")) == []


async def test_all_are_dropped_at_once_and_nothing_else(paths: StorePaths) -> None:
    assert drop_every(paths) == ()
    for profile in ("one", "two"):
        await file(paths, profile).change(lambda issuers: issuers.bound("mine", ISSUER))
    other = paths.logins / "login-0.history"
    other.write_bytes(b"{}")
    assert drop_every(paths) == ()
    assert list(paths.logins.iterdir()) == [other]


async def test_the_command_that_forgets_is_whole() -> None:
    own = issuers_file(settings(client_id="my;client", profile="work"), StorePaths(Path("/nowhere")))
    assert own.forget == (
        f'mcp-remote-bridge logout {SERVER_URL} --profile work --client-id "my;client" --registration'
    )


# -- a record's issuer


async def test_a_record_from_before_anything_was_kept_is_remembered(paths: StorePaths) -> None:
    mine = record(client=client(client_id="mine", kind="static"))
    await check_issuer_of(mine, settings(client_id="mine"), paths)
    assert file(paths).read() == Issuers(last=ISSUER, clients={"mine": ISSUER})
    written = path(paths).stat().st_mtime_ns
    await check_issuer_of(mine, settings(client_id="mine"), paths)
    assert path(paths).stat().st_mtime_ns == written


async def test_a_record_of_another_issuer_is_held_back(paths: StorePaths) -> None:
    mine = record(client=client(client_id="mine", kind="static"))
    await file(paths).change(lambda issuers: issuers.bound("mine", OTHER))
    with pytest.raises(SignInError) as caught:
        await check_issuer_of(mine, settings(client_id="mine"), paths)
    for words in (ISSUER, OTHER, "mine"):
        assert words in caught.value.message
    await check_issuer_of(mine, settings(client_id="mine", issuer=ISSUER), paths)
    for own in ({"client_id": "mine"}, {}):
        with pytest.raises(SignInError, match="--issuer allows only"):
            await check_issuer_of(record(), settings(**own, issuer=OTHER), paths)


async def test_what_is_damaged_holds_no_record_back(paths: StorePaths) -> None:
    """The record says itself where its client was used."""
    await file(paths).change(lambda issuers: issuers.bound("mine", OTHER))
    path(paths).write_bytes(b"{")
    await check_issuer_of(record(client=client(client_id="mine", kind="static")), settings(client_id="mine"), paths)
    assert path(paths).read_bytes() == b"{", "the next sign-in says so"
