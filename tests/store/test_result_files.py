"""Results of tools that were too large for the host: private, whole, and not for ever."""

from __future__ import annotations

import os
import re
import stat
import time
from pathlib import Path

import pytest

from bridge.store import result_files
from bridge.store.errors import StoreError
from bridge.store.result_files import KEPT_FOR, MOST_FILES, folder, save

posix = pytest.mark.skipif(os.name != "posix", reason="the mode bits of POSIX")

NOW = 1_796_108_462.0


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(result_files, "platform_cache", lambda: tmp_path / "cache")
    return tmp_path / "cache"


def names() -> list[str]:
    return sorted(path.name for path in folder().iterdir()) if folder().exists() else []


def test_a_result_and_its_text_are_two_files_named_by_time_and_tool() -> None:
    saved = save("list_rows", b'{"content":[]}', "rows é", NOW)
    assert re.fullmatch(r"20261201-070102-list_rows-[0-9a-f]{8}\.json", saved.result.name)
    assert saved.result.read_bytes() == b'{"content":[]}'
    assert saved.text is not None
    assert saved.text.read_text(encoding="utf-8") == "rows é"
    assert saved.text.stem == saved.result.stem
    assert names() == sorted([saved.result.name, saved.text.name])


def test_a_result_without_a_text_is_one_file() -> None:
    assert save("t", b"{}", "", NOW).text is None
    assert len(names()) == 1


def test_a_result_may_be_larger_than_a_secret() -> None:
    saved = save("t", b"x" * 5_000_000, "", NOW)
    assert saved.result.stat().st_size == 5_000_000


@posix
def test_only_the_owner_can_read_them() -> None:
    saved = save("t", b"{}", "text", NOW)
    for path, mode in ((folder(), 0o700), (saved.result, 0o600), (saved.text, 0o600)):
        assert path is not None
        assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("tool", ["../../etc/passwd", "a b", "nul\x00", "", "é" * 50, "x" * 300, "CON", "a:b"])
def test_the_name_of_a_tool_never_leads_elsewhere(tool: str) -> None:
    saved = save(tool, b"{}", "", time.time())
    assert saved.result.parent == folder()
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,80}", saved.result.name)


def test_what_is_old_or_was_left_half_written_goes_with_the_next() -> None:
    old, new = save("old", b"{}", "", NOW), save("new", b"{}", "", NOW)
    left = folder() / ".x.json.0123.tmp"
    left.write_bytes(b"{")
    other = folder() / "notes.md"
    other.write_bytes(b"mine")
    for path in (old.result, other):
        os.utime(path, (NOW - KEPT_FOR - 1, NOW - KEPT_FOR - 1))
    os.utime(left, (NOW - 7200, NOW - 7200))
    os.utime(new.result, (NOW - KEPT_FOR + 60, NOW - KEPT_FOR + 60))
    last = save("last", b"{}", "", NOW)
    assert names() == sorted([new.result.name, last.result.name, "notes.md"])


def test_files_are_bounded_and_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_files, "MOST_FILES", 6)
    made = []
    for number in range(6):
        saved = save("t", b"{}", "", NOW)
        os.utime(saved.result, (NOW + number, NOW + number))
        made.append(saved.result.name)
    assert sorted(names()) == sorted(made[-5:])
    assert MOST_FILES == 200


def test_bytes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_files, "MOST_BYTES", 1000)
    first = save("t", b"x" * 600, "", NOW)
    second = save("t", b"x" * 600, "", NOW)
    assert names() == [second.result.name]
    assert not first.result.exists()
    with pytest.raises(StoreError, match="larger than 1000 bytes"):
        save("t", b"x" * 2000, "", NOW)


def test_where_the_text_cannot_be_written_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_files, "MOST_BYTES", 1000)
    with pytest.raises(StoreError):
        save("t", b"{}", "x" * 2000, NOW)
    assert names() == []


def test_a_folder_that_cannot_be_made_is_an_error() -> None:
    folder().parent.mkdir(parents=True, exist_ok=True)
    folder().write_bytes(b"a file")
    with pytest.raises((StoreError, OSError)):
        save("t", b"{}", "", NOW)
