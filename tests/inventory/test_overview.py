"""What is stored, under way and in use, put together by store key."""

from pathlib import Path

import pytest

from bridge.inventory.overview import ServerInUse, SignInRow, overview
from bridge.inventory.running_instances import RunningInstance
from bridge.login.channel import ChannelServer
from bridge.login.channel_messages import LoginCommand, LoginStatus
from bridge.oauth.record import encode, tokens_key
from bridge.store.memory import MemoryStore
from bridge.store.paths import StorePaths
from bridge.tokens.login_files import LoginFiles, Notice
from tests.oauth.samples import record

pytestmark = pytest.mark.anyio

A, B, C = (f"https://{name}.example/mcp" for name in "abc")
KEY = b"k" * 32


def slot_of(server: str, profile: str = "default") -> str:
    return tokens_key(server, "", "", profile)


def use(pid: int, server: str, profile: str = "default") -> ServerInUse:
    return ServerInUse(RunningInstance(pid, 1.0, "Cursor", (), {}), slot_of(server, profile), server, profile)


@pytest.fixture
def files(tmp_path: Path) -> LoginFiles:
    return LoginFiles(StorePaths(tmp_path))


async def hear(_: LoginCommand) -> str:
    return ""


async def begin(files: LoginFiles, server: str, login_status: LoginStatus | None) -> ChannelServer:
    channel = await ChannelServer.start(KEY, hear)
    if login_status is not None:
        channel.publish(login_status)
    store_key = slot_of(server).replace("tokens", "login")
    notice = Notice(
        store_key=store_key, pid=7, port=channel.port, key=KEY.hex(), server=server, profile="default", since=2.0
    )
    files.put_notice(notice)
    return channel


def brief(rows: list[SignInRow]) -> list[tuple[str, str, bool, bool, list[int]]]:
    return [
        (
            row.server,
            row.profile,
            row.stored is not None,
            row.login is not None,
            [instance.pid for instance in row.instances],
        )
        for row in rows
    ]


async def test_all_that_belongs_to_one_sign_in_is_one_row(files: LoginFiles) -> None:
    store = MemoryStore()
    await store.save(slot_of(B), encode(record(server=B)))
    await store.save(slot_of(B, "work"), encode(record(server=B, profile="work")))
    waiting = LoginStatus(phase="waiting", url="https://as.example/in", ends_at=9.0)
    logins = [await begin(files, server, waiting) for server in (B, A)]
    try:
        rows = await overview(store, files, [use(1, C), use(2, B), use(3, B, "work"), use(4, B)])
    finally:
        for login in logins:
            await login.close()
    assert brief(rows) == [
        (A, "default", False, True, []),
        (B, "default", True, True, [2, 4]),
        (B, "work", True, False, [3]),
        (C, "default", False, False, [1]),
    ]
    assert rows[0].login is not None
    assert rows[0].login.login_status == waiting


async def test_one_that_cannot_be_read_has_a_row_and_its_name_from_who_uses_it(files: LoginFiles) -> None:
    store = MemoryStore()
    await store.save(slot_of(A), b"nonsense")
    await store.save(slot_of(B), b"nonsense")
    rows = await overview(store, files, [use(1, A)])
    assert brief(rows) == [(A, "default", True, False, [1]), ("", "", True, False, [])]
    assert all(row.stored and row.stored.problem for row in rows)


async def test_logins_that_are_over_are_not_shown(files: LoginFiles) -> None:
    ended = await begin(files, A, LoginStatus(phase="failed", failure="refused"))
    gone = await begin(files, B, None)
    await gone.close()
    try:
        assert await overview(MemoryStore(), files, []) == []
    finally:
        await ended.close()


async def test_a_login_that_says_nothing_is_shown_all_the_same(
    files: LoginFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.inventory.overview._NEWS_SECONDS", 0.05)
    silent = await begin(files, A, None)
    try:
        [row] = await overview(MemoryStore(), files, [])
    finally:
        await silent.close()
    assert row.login is not None
    assert row.login.login_status.phase == "preparing"


async def test_an_id_token_names_the_person(files: LoginFiles) -> None:
    store = MemoryStore()
    # {"alg":"none"}.{"email":"anna@example.com"}.
    token = "eyJhbGciOiJub25lIn0.eyJlbWFpbCI6ImFubmFAZXhhbXBsZS5jb20ifQ."
    await store.save(slot_of(A), encode(record(server=A, id_token=token)))
    [row] = await overview(store, files, [])
    assert row.who == "anna@example.com"
