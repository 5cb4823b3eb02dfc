"""Locks among tasks and processes; the second kind with real processes, one of them killed."""

import asyncio
import contextlib
import errno
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.store.errors import StoreBusy, StoreError
from bridge.store.locks import ProcessLocks, TaskLocks
from bridge.store.memory import MemoryStore
from tests.store.rings import OTHER, SLOT, Home
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[2]


def quiet(_: str) -> None:
    pass


@contextlib.contextmanager
def holder(folder: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the lock from here on."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.store.lock_holder", str(folder), name],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().rstrip() == b"held"
            yield process
        finally:
            process.kill()


async def test_tasks_take_turns_in_the_order_they_came(tmp_path: Path) -> None:
    for locks in (TaskLocks(), ProcessLocks(tmp_path / "locks", quiet)):
        order: list[int] = []
        inside = 0

        async def enter(number: int, locks: TaskLocks | ProcessLocks = locks, order: list[int] = order) -> None:
            nonlocal inside
            async with locks.hold("a", 10):
                inside += 1
                assert inside == 1
                order.append(number)
                await asyncio.sleep(0)
                inside -= 1

        await asyncio.gather(*(enter(number) for number in range(8)))
        assert order == list(range(8))


async def test_locks_of_other_names_do_not_wait(tmp_path: Path) -> None:
    locks = ProcessLocks(tmp_path / "locks", quiet)
    async with locks.hold("a", 5), locks.hold("b", 0.1):
        pass


async def test_two_vaults_of_one_process_exclude_one_another(home: Home) -> None:
    async with home.open().locked(SLOT, 5):
        with pytest.raises(StoreBusy, match="Another bridge"):
            async with home.open().locked(SLOT, 0.1):
                pytest.fail("both held it")
        async with home.open().locked(OTHER, 0.1):
            pass
    async with home.open().locked(SLOT, 0.1):
        pass


async def test_a_held_slot_can_be_saved_loaded_and_deleted(home: Home) -> None:
    store = home.open()
    async with store.locked(SLOT, 5):
        await store.save(SLOT, b"x")
        assert await store.load(SLOT) == b"x"
        await store.delete(SLOT)


async def test_the_lock_is_given_back_after_an_error_and_a_cancellation(home: Home) -> None:
    store = home.open()
    with pytest.raises(ZeroDivisionError):
        async with store.locked(SLOT, 5):
            raise ZeroDivisionError
    entered = asyncio.Event()

    async def stay() -> None:
        async with store.locked(SLOT, 5):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(stay())
    async with asyncio.timeout(stretched(10)):
        await entered.wait()
        waiting = asyncio.create_task(stay())
        await asyncio.sleep(0)
        waiting.cancel()
        task.cancel()
        await asyncio.gather(task, waiting, return_exceptions=True)
    async with home.open().locked(SLOT, 0.5):
        pass


async def test_another_process_excludes_us_until_it_is_killed(home: Home) -> None:
    store = home.open()
    with holder(home.paths.locks, SLOT) as process:
        with pytest.raises(StoreBusy):
            async with store.locked(SLOT, 0.1):
                pytest.fail("both held it")
        # Killed, so nothing of its own can give the lock back.
        process.kill()
        process.wait(stretched(10))
        async with store.locked(SLOT, 5):
            pass
    assert (home.paths.locks / f"{SLOT}.lock").exists()


async def test_a_waiter_gets_the_lock_when_the_other_process_ends(home: Home) -> None:
    entered = asyncio.Event()

    async def wait() -> None:
        async with home.open().locked(SLOT, 20):
            entered.set()

    with holder(home.paths.locks, SLOT) as process:
        waiting = asyncio.create_task(wait())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(entered.wait()), 0.1)
        assert process.stdin is not None
        process.stdin.close()
        await asyncio.wait_for(waiting, stretched(20))


async def test_a_save_waits_for_another_process_that_saves(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.store.disk._SAVE_TURN", 0.1)
    with holder(home.paths.locks, f"{SLOT}.save"), pytest.raises(StoreBusy):
        await home.open().save(SLOT, b"x")
    assert await home.open().load(SLOT) is None


@pytest.mark.skipif(os.name != "posix", reason="the mode bits of POSIX")
async def test_the_lock_file_is_private_and_no_link_is_followed(tmp_path: Path) -> None:
    folder = tmp_path / "locks"
    locks = ProcessLocks(folder, quiet)
    async with locks.hold("a", 1):
        assert stat.S_IMODE((folder / "a.lock").stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    victim = tmp_path / "victim"
    (folder / "b.lock").symlink_to(victim)
    with pytest.raises(StoreError, match="cannot be locked"):
        async with locks.hold("b", 1):
            pytest.fail("the link was followed")
    assert not victim.exists()


@pytest.mark.skipif(os.name != "posix", reason="flock")
@pytest.mark.parametrize("answer", [errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK])
async def test_a_file_system_without_locks_still_has_those_among_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: int
) -> None:
    def flock(*_: object) -> None:
        raise OSError(answer, os.strerror(answer))

    monkeypatch.setattr("fcntl.flock", flock)
    notices: list[str] = []
    locks = ProcessLocks(tmp_path / "locks", notices.append)
    async with locks.hold("a", 1):
        with pytest.raises(StoreBusy):
            async with locks.hold("a", 0.05):
                pytest.fail("both held it")
    async with locks.hold("b", 1):
        pass
    [notice] = notices
    assert "supports no locks" in notice


async def test_memory_has_locks_and_forgets(tmp_path: Path) -> None:
    store = MemoryStore()
    assert await store.load(SLOT) is None
    await store.save(SLOT, b"x")
    assert store.exists_hint(SLOT)
    assert await store.load(SLOT) == b"x"
    assert "memory" in store.place(SLOT)
    async with store.locked(SLOT, 1):
        with pytest.raises(StoreBusy):
            async with store.locked(SLOT, 0.05):
                pytest.fail("both held it")
    await store.delete(SLOT)
    assert not store.exists_hint(SLOT)
    assert await MemoryStore().load(SLOT) is None
