"""When the command of `--header-command` runs: once for all copies, before the lifetime ends, and once after a 401."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import pytest

from bridge.config import Header, Settings
from bridge.config.header_command import HeaderCommand, PrintedHeaders
from bridge.errors import BridgeError
from bridge.process.header_command import HeaderCommandFailed, headers_of
from bridge.process.redact import Redactor
from bridge.remote.credentials import AuthRefusal, Credential
from bridge.store.disk import DiskStore
from bridge.store.errors import KeyringUnavailable, StoreBusy, StoreError
from bridge.store.memory import MemoryStore
from bridge.store.paths import StorePaths, check_key
from bridge.store.secret_store import SecretStore
from bridge.store.system import KeyringEntries
from bridge.tokens.command_headers import CommandHeaders, command_headers_of, headers_key
from tests.support.in_process.authorization_harness import settled, until
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

NOW = 1_000_000.0
URL = "https://a.example/mcp"
KEY = headers_key(URL, HeaderCommand(("get-token",)), "default")


class Copy:
    """One copy of the bridge. The command prints a new token each time, with this lifetime, or fails."""

    def __init__(self, store: SecretStore, *, lifetime: float | None = 3600.0, names: Iterable[str] = ()) -> None:
        self.store = store
        self.lifetime = lifetime
        self.now = NOW
        self.ticks = 0.0
        self.runs = 0
        self.problem: BridgeError | None = None
        self.prints: Callable[[int], tuple[Header, ...]] = lambda run: (("Authorization", f"Bearer t{run}"),)
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.hidden: list[Header] = []
        self.headers = CommandHeaders(
            KEY,
            store,
            self._run,
            names=names,
            hide=self.hidden.extend,
            clock=lambda: self.now,
            ticks=lambda: self.ticks,
        )

    def _run(self, is_stopped: Callable[[], bool]) -> PrintedHeaders:
        self.runs += 1
        assert self.goes_on.wait(stretched(30))
        if is_stopped():
            raise HeaderCommandFailed("It was ended.")
        if self.problem is not None:
            raise self.problem
        return PrintedHeaders(self.prints(self.runs), self.lifetime)

    async def credential(self) -> Credential:
        """What a request does."""
        ready = self.headers.ready()
        return ready if ready is not None else await self.headers.obtain()

    async def sent(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in (await self.credential()).headers}

    async def refuse(self, status: int = 401, said: str = "") -> None:
        lacks = None if status == 401 else ("more",)
        credential = await self.credential()
        await self.headers.refused(AuthRefusal(URL, status, (), said, credential, lacks, 0, False))


TOKEN_1, TOKEN_2, TOKEN_3 = ({"Authorization": f"Bearer t{number}"} for number in (1, 2, 3))


# -- running


async def test_many_first_requests_run_it_once_and_hide_what_it_printed_first() -> None:
    copy = Copy(MemoryStore())
    assert copy.headers.ready() is None
    assert await asyncio.gather(*(copy.sent() for _ in range(5))) == [TOKEN_1] * 5
    assert (copy.runs, copy.hidden) == (1, [("Authorization", "Bearer t1")])


async def test_what_the_user_set_by_hand_is_not_replaced() -> None:
    copy = Copy(MemoryStore(), names=["authorization"])
    copy.prints = lambda _: (("Authorization", "Bearer t"), ("X-Team", "blue"))
    assert await copy.sent() == {"X-Team": "blue"}


async def test_it_runs_again_before_the_lifetime_ends_and_no_request_waits_for_that() -> None:
    copy = Copy(MemoryStore())
    await copy.sent()
    copy.now += 3600 - 100
    copy.goes_on.clear()
    assert await copy.sent() == TOKEN_1
    assert await copy.sent() == TOKEN_1
    copy.goes_on.set()
    await until(lambda: copy.headers.ready() is not None and copy.runs == 2)
    await until(lambda: len(copy.hidden) == 2)
    assert await copy.sent() == TOKEN_2
    assert copy.runs == 2


async def test_a_failure_before_the_lifetime_ends_costs_nothing_and_after_it_the_request_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    copy = Copy(MemoryStore())
    await copy.sent()
    copy.now += 3600 - 100
    copy.problem = HeaderCommandFailed("It failed.")
    assert await copy.sent() == TOKEN_1
    await until(lambda: copy.runs == 2)
    await until(lambda: "It failed." in caplog.text)
    await settled()
    assert await copy.sent() == TOKEN_1
    copy.now += 200
    copy.ticks += 6
    with pytest.raises(HeaderCommandFailed, match="It failed"):
        await copy.sent()
    assert copy.runs == 3
    copy.problem = None
    copy.ticks += 6
    assert (await copy.sent())["Authorization"] == "Bearer t4"


async def test_after_a_failure_it_does_not_run_for_each_request() -> None:
    copy = Copy(MemoryStore())
    copy.problem = HeaderCommandFailed("It failed.")
    for _ in range(3):
        with pytest.raises(HeaderCommandFailed, match="It failed"):
            await copy.sent()
    assert copy.runs == 1


async def test_other_header_names_replace_the_old_ones_whole() -> None:
    copy = Copy(MemoryStore())
    copy.prints = lambda run: ((f"X-Key-{run}", "abcdef"),)
    assert await copy.sent() == {"X-Key-1": "abcdef"}
    await copy.refuse()
    assert await copy.sent() == {"X-Key-2": "abcdef"}


async def test_a_run_that_ends_ends_the_command() -> None:
    copy = Copy(MemoryStore())
    copy.goes_on.clear()
    waiting = asyncio.create_task(copy.sent())
    await until(lambda: copy.runs == 1)
    closing = asyncio.create_task(copy.headers.close())
    await asyncio.sleep(0)
    copy.goes_on.set()
    await closing
    with pytest.raises(HeaderCommandFailed):
        await waiting


# -- refused


async def test_a_401_runs_it_again_once_and_a_second_one_fails_with_what_the_server_said() -> None:
    copy = Copy(MemoryStore())
    await copy.sent()
    await copy.refuse()
    assert (await copy.sent(), copy.runs) == (TOKEN_2, 2)
    for _ in range(3):
        with pytest.raises(BridgeError, match=r"refused \(HTTP 401\) the headers .* the server said: \"no\"") as raised:
            await copy.refuse(said="no")
        assert "Run the command in a terminal" in str(raised.value)
    assert copy.runs == 2
    copy.ticks += 11
    await copy.refuse()
    assert copy.runs == 3


async def test_the_same_headers_again_go_out_once_more_and_not_without_end() -> None:
    copy = Copy(MemoryStore())
    copy.prints = lambda _: (("X-Key", "always"),)
    first = await copy.credential()
    await copy.refuse()
    second = await copy.credential()
    assert first.serial != second.serial
    with pytest.raises(BridgeError, match="refused"):
        await copy.refuse()
    assert copy.runs == 2


async def test_several_requests_that_are_refused_share_one_run() -> None:
    copy = Copy(MemoryStore())
    await copy.sent()
    await asyncio.gather(*(copy.refuse() for _ in range(4)))
    assert (await copy.sent(), copy.runs) == (TOKEN_2, 2)


async def test_a_scope_that_is_missing_is_told_and_not_asked_of_the_command() -> None:
    copy = Copy(MemoryStore())
    await copy.sent()
    with pytest.raises(BridgeError, match=r"refused \(HTTP 403\)"):
        await copy.refuse(403)
    assert copy.runs == 1


# -- several copies


async def test_a_later_copy_uses_what_is_stored_until_its_lifetime_ends() -> None:
    store = MemoryStore()
    await Copy(store).sent()
    later = Copy(store)
    assert (await later.sent(), later.runs) == (TOKEN_1, 0)
    over = Copy(store)
    over.now += 3601
    await over.sent()
    assert over.runs == 1


async def test_without_a_lifetime_nothing_is_stored_and_what_was_stored_counts_no_more() -> None:
    store = MemoryStore()
    copy = Copy(store, lifetime=None)
    await copy.sent()
    copy.now += 1e9
    assert (await copy.sent(), copy.runs) == (TOKEN_1, 1)
    assert not store.exists_hint(KEY)
    copy.lifetime = 3600
    await copy.refuse()
    assert store.exists_hint(KEY)
    copy.lifetime = None
    copy.ticks += 11
    await copy.refuse()
    other = Copy(store)
    await other.sent()
    assert other.runs == 1


async def test_after_a_401_the_newer_headers_of_another_copy_are_used() -> None:
    store = MemoryStore()
    first, second = Copy(store), Copy(store)
    second.prints = lambda run: (("Authorization", f"Bearer other{run}"),)
    await first.sent()
    await second.sent()
    await first.refuse()
    await second.refuse()
    assert (await second.sent(), second.runs) == (TOKEN_2, 0)


async def test_headers_that_were_refused_are_not_taken_from_the_store_again() -> None:
    class ReadOnly(MemoryStore):
        async def save(self, key: str, data: bytes) -> None:
            if self.exists_hint(key):
                raise StoreError("The disk is full.")
            await super().save(key, data)

    copy = Copy(ReadOnly())
    await copy.sent()
    await copy.refuse()
    copy.ticks += 11
    await copy.refuse()
    assert (await copy.sent(), copy.runs) == (TOKEN_3, 3)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"{", b'{"headers":[["Host","x"]],"issued_at":999999,"expires_at":1009999}', b"\xff"]
)
async def test_damaged_headers_in_the_store_are_replaced(data: bytes) -> None:
    store = MemoryStore()
    await store.save(KEY, data)
    copy = Copy(store)
    assert (await copy.sent(), copy.runs) == (TOKEN_1, 1)
    stored = await store.load(KEY)
    assert stored is not None
    assert msgspec.json.decode(stored)["headers"] == [["Authorization", "Bearer t1"]]


async def test_a_store_that_fails_is_told_once_and_costs_no_request(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(MemoryStore):
        def exists_hint(self, key: str) -> bool:
            return True

        async def load(self, key: str) -> bytes | None:
            raise KeyringUnavailable("it is locked")

        async def save(self, key: str, data: bytes) -> None:
            raise StoreError("The disk is full.")

        def locked(self, key: str, timeout: float):  # type: ignore[no-untyped-def]
            raise StoreBusy("Another bridge has been working.")

    copy = Copy(Broken())
    assert await copy.sent() == TOKEN_1
    await copy.refuse()
    assert await copy.sent() == TOKEN_2
    warnings = [one for one in caplog.records if one.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "each copy of the bridge runs the command itself: The disk is full." in warnings[0].getMessage()


def disk(folder: Path) -> DiskStore:
    def no_ring() -> None:
        raise KeyringUnavailable("there is none")

    return DiskStore("file", StorePaths(folder), KeyringEntries(no_ring), lambda _: None)  # type: ignore[arg-type]


async def test_copies_with_stores_of_their_own_run_a_real_command_once(tmp_path: Path) -> None:
    counter = tmp_path / "runs"
    code = (
        f"open({str(counter)!r}, 'a').write('x'); import time; time.sleep(0.1); "
        "print('X-Key: hunter2-Zq4'); print('expires_in: 3600')"
    )
    command = HeaderCommand((sys.executable, "-c", code))

    def run(_: Callable[[], bool]) -> PrintedHeaders:
        return headers_of(command, os.environ, seconds=stretched(30))

    store = tmp_path / "store"
    copies = [CommandHeaders(KEY, disk(store), run, names=(), hide=lambda _: None) for _ in range(3)]
    found = await asyncio.gather(*(copy.obtain() for copy in copies))
    assert {credential.headers for credential in found} == {((b"X-Key", b"hunter2-Zq4"),)}
    assert counter.read_text() == "x"
    files = [file for file in store.rglob("*") if file.is_file() and b"hunter2" in file.read_bytes()]
    assert [file.suffix for file in files] == [".secret"]
    assert sys.platform == "win32" or files[0].stat().st_mode & 0o077 == 0


def test_each_server_command_and_profile_has_a_key_of_its_own() -> None:
    one, other = HeaderCommand(("a", "b")), HeaderCommand(shell="a b")
    keys = {
        check_key(headers_key(url, command, profile))
        for url in (URL, f"{URL}/2")
        for command in (one, other)
        for profile in ("default", "work")
    }
    assert len(keys) == 8


async def test_the_command_of_the_settings_gets_no_variable_that_holds_a_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MY_KEY", "hunter2-Zq4")
    monkeypatch.setenv("MCP_BRIDGE_TEST_X", "x")
    code = "import os; print('X-Seen:', [n for n in ('MY_KEY', 'MCP_BRIDGE_TEST_X') if n in os.environ] or 'none')"
    settings = Settings(URL, header_command=(sys.executable, "-c", code), secret_variables=("MY_KEY",))
    redactor = Redactor()
    made = command_headers_of(settings, redactor)
    assert (await made.obtain()).headers == ((b"X-Seen", b"none"),)
