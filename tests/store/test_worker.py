"""Blocking calls: results, errors, deadlines, and the process that does not wait for them."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from bridge.store.worker import Job, Worker
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Opens at the end of the test, so that no thread stays behind it."""
    event = threading.Event()
    yield event
    event.set()


async def test_results_and_errors_come_from_another_thread() -> None:
    worker = Worker("test")
    assert await worker.run(lambda _: threading.current_thread(), 5) is not threading.current_thread()

    def fail(_: Job) -> None:
        raise ValueError("this one")

    with pytest.raises(ValueError, match="this one"):
        await worker.run(fail, 5)


async def test_jobs_do_not_overlap() -> None:
    worker = Worker("test")
    inside = 0
    most = 0

    def work(_: Job) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        inside -= 1

    await asyncio.gather(*(worker.run(work, 5) for _ in range(20)))
    assert most == 1


async def test_after_the_deadline_the_next_is_refused_at_once_until_the_first_ends(gate: threading.Event) -> None:
    worker = Worker("test")
    steps: list[str] = []
    ended = threading.Event()

    def hang(job: Job) -> None:
        steps.append("first")
        gate.wait(stretched(30))
        try:
            job.check()
            steps.append("second")
        finally:
            ended.set()

    with pytest.raises(TimeoutError):
        await worker.run(hang, 0.05)
    with pytest.raises(TimeoutError):
        await worker.run(lambda _: steps.append("not this"), 30)
    gate.set()
    assert ended.wait(stretched(10))
    async with asyncio.timeout(stretched(10)):
        while True:
            try:
                await worker.run(lambda _: steps.append("again"), 5)
                break
            except TimeoutError:
                await asyncio.sleep(0.01)
    assert steps == ["first", "again"]


async def test_a_cancelled_caller_leaves_the_job_to_end(gate: threading.Event) -> None:
    worker = Worker("test")
    started, ended = threading.Event(), threading.Event()

    def work(job: Job) -> None:
        started.set()
        gate.wait(stretched(30))
        job.check()
        ended.set()

    task = asyncio.create_task(worker.run(work, 30))
    assert await asyncio.to_thread(started.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.set()
    assert ended.wait(stretched(10))


def test_the_process_ends_although_a_job_hangs() -> None:
    program = (
        "import asyncio, threading\n"
        "from bridge.store.worker import Worker\n"
        "async def main():\n"
        "    try:\n"
        "        await Worker('x').run(lambda _: threading.Event().wait(), 0.1)\n"
        "    except TimeoutError:\n"
        "        pass\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=stretched(30), check=False)
    assert (done.returncode, done.stderr) == (0, b"")
