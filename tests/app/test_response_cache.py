"""The kept answers of a run: looked for at once, in the right name, and written without holding anything up."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from bridge.app.response_cache import KeptResponses
from bridge.config import Settings
from bridge.errors import BridgeError
from bridge.session.commands import DropResponses, FindResponse, KeepResponse
from bridge.session.events import ResponseFound
from bridge.session.response_cache import CachedResult, CacheQuery
from bridge.store import response_files
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

URL = "https://mcp.example/mcp"
DEADLINE = 10.0
QUESTION = CacheQuery("tools", False, b"q")
RESULT = b'{"resultType":"complete"}'


class Person:
    """Who is signed in: "" for nobody; None: the store was not read yet."""

    def __init__(self, identity: str | None = "") -> None:
        self.now = identity
        self.stored = identity or ""
        self.identities = 0
        self.problem: BridgeError | None = None

    def known_identity(self) -> str | None:
        return self.now

    async def identity(self) -> str:
        await asyncio.sleep(0)
        if self.problem:
            raise self.problem
        self.now = self.stored
        return self.now

    def becomes(self, identity: str) -> None:
        self.now = self.stored = identity
        self.identities += 1


class Run:
    """One copy's."""

    def __init__(self, person: Person | None = None, settings: Settings | None = None) -> None:
        self.found: asyncio.Queue[ResponseFound] = asyncio.Queue()
        self.kept = KeptResponses(settings or Settings(url=URL), person, self.found.put_nowait)

    async def find(self, question: CacheQuery = QUESTION) -> ResponseFound:
        self.kept.find(FindResponse(7, question))
        async with asyncio.timeout(stretched(DEADLINE)):
            event = await self.found.get()
        assert event.exchange == 7
        return event

    def keep(self, asked_as: int = 0, *, is_private: bool = True, result: bytes = RESULT) -> None:
        self.kept.keep(KeepResponse(QUESTION, CachedResult(result, 0.0, 60.0, is_private), asked_as))


async def written() -> None:
    """Wait until nothing is being written any more."""
    for thread in threading.enumerate():
        if thread.name == "responses":
            await asyncio.to_thread(thread.join, stretched(DEADLINE))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "responses"
    monkeypatch.setattr(response_files, "cache_folder", lambda: found)
    return found


async def test_what_is_kept_is_found_with_the_time_it_came() -> None:
    run = Run()
    assert (await run.find()).kept is None
    run.keep(is_private=False)
    await written()
    event = await run.find()
    assert event.kept is not None
    assert event.kept.result == RESULT
    assert 0 <= event.time - event.kept.received_at < stretched(DEADLINE)
    run.kept.drop(DropResponses(("tools",)))
    await written()
    assert (await run.find()).kept is None


async def test_a_private_answer_is_for_whoever_is_signed_in() -> None:
    ann = Run(Person("ann"))
    ann.keep()
    await written()
    assert (await Run(Person("ann")).find()).kept is not None
    assert (await Run(Person("bob")).find()).kept is None
    assert (await Run(Person("")).find()).kept is None
    assert (await Run(None).find()).kept is None


async def test_the_store_is_read_where_there_is_a_private_answer_and_else_not() -> None:
    person = Person(None)
    person.stored = "ann"
    run = Run(person)
    assert (await run.find()).kept is None
    assert person.now is None
    Run(Person("ann")).keep()
    await written()
    assert (await run.find()).kept is not None
    assert person.now == "ann"


async def test_an_answer_is_not_kept_for_another_than_asked() -> None:
    person = Person("ann")
    run = Run(person)
    event = await run.find()
    person.becomes("bob")
    run.keep(event.asked_as)
    await written()
    assert (await Run(Person("bob")).find()).kept is None
    assert (await Run(Person("ann")).find()).kept is None
    event = await run.find()
    run.keep(event.asked_as)
    await written()
    assert (await Run(Person("bob")).find()).kept is not None


async def test_a_store_that_cannot_be_read_holds_nothing_up() -> None:
    Run(Person("ann")).keep()
    await written()
    person = Person(None)
    person.problem = BridgeError("It is locked.")
    assert (await Run(person).find()).kept is None


async def test_headers_and_the_certificate_make_another_context(tmp_path: Path) -> None:
    certificate = tmp_path / "client.pem"
    certificate.write_bytes(b"one")
    plain, headed = Settings(url=URL), Settings(url=URL, headers=(("Authorization", "Bearer one"),))
    certified = Settings(url=URL, client_cert=certificate)
    for settings in (plain, headed, certified):
        assert (await Run(settings=settings).find()).kept is None
        Run(settings=settings).keep(is_private=False)
        await written()
        assert (await Run(settings=settings).find()).kept is not None
    assert (await Run(settings=Settings(url=URL, headers=(("AUTHORIZATION", "Bearer one"),))).find()).kept is not None
    certificate.write_bytes(b"two")
    assert (await Run(settings=certified).find()).kept is None


async def test_a_server_that_announces_changes_without_end_fills_no_memory(folder: Path) -> None:
    run = Run()
    for number in range(2000):
        run.kept.drop(DropResponses(("tools",) if number % 2 else ("prompts",)))
        run.keep(is_private=False, result=b'"%d"' % number)
    assert len(run.kept._disk._waiting) <= 200
    await written()
    run.keep(is_private=False)
    await written()
    assert (await run.find()).kept is not None
