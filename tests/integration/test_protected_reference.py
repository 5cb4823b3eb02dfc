"""The reference `mcp` package's own protected server, which is its authorization server too."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest

from tests.support.in_process.site import visitor
from tests.support.oauth.protected_reference import ADMIN, USE, ProtectedProcess, protected_reference
from tests.support.oauth.user import Person, asked, until
from tests.support.process.bridge_process import INITIALIZE
from tests.support.process.signed_in_bridge import SIGN_IN_DEADLINE, greet, leave, run_once, works

pytestmark = pytest.mark.anyio

SIGNED_IN = [f"authorized {USE}", "exchanged"]


@pytest.fixture(scope="module")
def common() -> Iterator[ProtectedProcess]:
    with protected_reference() as started:
        yield started


@pytest.fixture
async def server(common: ProtectedProcess) -> ProtectedProcess:
    await common.reset()
    return common


@pytest.fixture
async def person(tmp_path: Path) -> AsyncIterator[Person]:
    """Whose bridges are threads of this process."""
    async with visitor(tmp_path) as made:
        yield made


@pytest.fixture
def user(tmp_path: Path) -> Person:
    """Whose bridges are processes."""
    return Person(tmp_path)


async def test_one_sign_in_serves_the_next_start_too(server: ProtectedProcess, user: Person) -> None:
    await run_once(user, server.url)
    await run_once(user, server.url)

    registered, *rest = await server.told()
    assert registered.startswith("registered ")
    assert registered.endswith(" native")
    assert rest == SIGNED_IN
    assert len(user.opened) == 1
    assert asked(user.opened[0])["resource"] == server.url
    assert (await user.until_page()).status == 200


async def test_an_issuer_is_compared_with_its_slash(person: Person) -> None:
    with protected_reference(slash=True) as server:
        await run_once(person, server.url)

        assert (await server.told())[1:] == SIGNED_IN


async def test_a_refused_token_is_refreshed_with_rotation(server: ProtectedProcess, person: Person) -> None:
    async with person.launch(server.url) as bridge:
        await greet(bridge)
        for _ in range(3):
            await server.refuse_tokens()
            await works(bridge)
        await leave(bridge)
    await server.refuse_tokens()
    await run_once(person, server.url)

    assert (await server.told())[1:] == [*SIGNED_IN, *["refreshed"] * 4]
    assert len(person.opened) == 1


async def test_a_revoked_sign_in_asks_once_and_keeps_the_client(server: ProtectedProcess, person: Person) -> None:
    await run_once(person, server.url)
    await server.revoke_all()
    await run_once(person, server.url)
    await run_once(person, server.url)

    told = await server.told()
    assert len([line for line in told if line.startswith("registered")]) == 1
    # The client of before is tried out once without a person, which is an authorization request too.
    assert [line for line in told if " " not in line] == ["exchanged", "revoked", "exchanged"]
    assert len(person.opened) == 2


async def test_a_running_bridge_outlives_a_revocation(server: ProtectedProcess, person: Person) -> None:
    async with person.launch(server.url) as bridge:
        await greet(bridge)
        await server.revoke_all()
        await works(bridge)
        await leave(bridge)

    assert len(person.opened) == 2


async def test_five_processes_start_on_one_expired_token(server: ProtectedProcess, person: Person) -> None:
    lifetime = 2
    await server.set_lifetime(lifetime)
    await run_once(person, server.url)
    before = (await server.told()).count("refreshed")
    start = time.time()
    # The package takes a token to the end of its last second.
    await until(lambda: time.time() > start + lifetime + 1, "the end of the access token")
    await server.set_lifetime(3600)
    async with contextlib.AsyncExitStack() as bridges, anyio.create_task_group() as calls:
        for _ in range(5):
            bridge = await bridges.enter_async_context(person.launch(server.url))
            calls.start_soon(greet, bridge)

    told = await server.told()
    assert told.count("refreshed") == before + 1
    assert "reused" not in told
    assert len(person.opened) == 1


async def test_a_server_that_forgot_everything_is_registered_with_once(
    server: ProtectedProcess, person: Person
) -> None:
    # What a restart does to every server that keeps its clients in memory.
    await run_once(person, server.url)
    await server.reset()
    await run_once(person, server.url)
    await run_once(person, server.url)

    told = await server.told()
    assert len([line for line in told if line.startswith("registered")]) == 1
    assert told[1:] == SIGNED_IN
    assert len(person.opened) == 2


async def test_a_server_restarted_under_a_running_bridge(person: Person) -> None:
    with contextlib.ExitStack() as running:
        server = running.enter_context(protected_reference())
        async with person.launch(server.url) as bridge:
            await greet(bridge)
            running.close()
            server = running.enter_context(protected_reference(port=server.port))
            await works(bridge)
            await leave(bridge)

        assert (await server.told())[1:] == SIGNED_IN
        assert len(person.opened) == 2


async def test_scopes_are_those_of_the_metadata(person: Person) -> None:
    with protected_reference(scopes=f"{USE} {ADMIN}") as server:
        await run_once(person, server.url)

        assert (await server.told())[1:] == [f"authorized {USE} {ADMIN}", "exchanged"]
        assert asked(person.opened[0])["scope"] == f"{USE} {ADMIN}"


async def test_too_few_scopes_are_an_error_and_no_loop(person: Person) -> None:
    # The challenge of the package names no scopes, only its metadata does; and the person pinned fewer.
    with protected_reference(scopes=f"{USE} {ADMIN}") as server:
        async with person.launch(server.url, "--scope", USE) as bridge:
            answer = await bridge.request("initialize", INITIALIZE, deadline=SIGN_IN_DEADLINE)

            assert answer.kind == "unauthorized"
            assert ADMIN in answer.error["message"]
        assert len(person.opened) <= 3
