"""A result is saved in a thread, and what came of it is told on the loop."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec import Raw

from bridge.app.saved_results import save_result
from bridge.session.commands import SaveResult
from bridge.session.events import ResultSaved
from bridge.store import result_files
from tests.support.waits import stretched

RESULT = b'{"content":[{"type":"text","text":"rows"}]}'


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_files, "platform_cache", lambda: tmp_path)


def saved(command: SaveResult) -> ResultSaved:
    """What a run is told."""

    async def run() -> ResultSaved:
        told: asyncio.Future[ResultSaved] = asyncio.get_running_loop().create_future()
        save_result(command, told.set_result)
        async with asyncio.timeout(stretched(10)):
            return await told

    return asyncio.run(run())


def test_a_result_and_its_text_are_told_by_their_paths() -> None:
    event = saved(SaveResult(7, "rows", Raw(RESULT)))
    assert (event.number, event.problem) == (7, "")
    assert Path(event.path).read_bytes() == RESULT
    assert Path(event.text_path).read_bytes() == b"rows"


@pytest.mark.parametrize("problem", [OSError(28, "No space left on device"), ValueError("odd"), MemoryError()])
def test_whatever_goes_wrong_is_told(problem: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise problem

    monkeypatch.setattr(result_files, "save", fail)
    event = saved(SaveResult(7, "rows", Raw(RESULT)))
    assert (event.number, event.path) == (7, "")
    assert event.problem in {"[Errno 28] No space left on device", "odd", "MemoryError"}
