"""What is known of a server's eras: kept for a week, believed only where it is whole, and never in the way."""

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bridge.store import era_cache
from bridge.store.era_cache import LIFETIME, cache_folder, load, save
from bridge.store.file import LIMIT
from tests.support.waits import stretched

posix = pytest.mark.skipif(os.name != "posix", reason="the mode bits, links and pipes of POSIX")

ROOT = Path(__file__).resolve().parents[2]
URL = "https://mcp.example.com/mcp?team=blue"
NOW = 1_785_283_200.75
DEADLINE = 30.0

LEGACY = frozenset({"legacy"})
MODERN = frozenset({"modern"})
BOTH = LEGACY | MODERN


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "cache" / "eras"
    monkeypatch.setattr(era_cache, "cache_folder", lambda: found)
    return found


@pytest.fixture
def file(folder: Path) -> Path:
    """The file of a verdict that was kept."""
    save(URL, BOTH, NOW)
    (found,) = folder.iterdir()
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="the folders of Linux")
def test_linux_has_it_in_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "mcp-remote-bridge" / "eras"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "mcp-remote-bridge" / "eras"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "eras", [LEGACY, MODERN, BOTH, LEGACY | {"unasked"}], ids=["legacy", "modern", "both", "unasked"]
)
def test_what_was_kept_is_known_in_the_next_run(folder: Path, eras: frozenset[str]) -> None:
    assert load(URL, NOW) is None
    save(URL, eras, NOW)
    assert load(URL, NOW) == eras
    assert load(URL, NOW + 1) == eras


def test_the_last_verdict_counts(folder: Path) -> None:
    for eras in (LEGACY, BOTH, MODERN):
        save(URL, eras, NOW)
        assert load(URL, NOW) == eras
    assert len(list(folder.iterdir())) == 1


def test_each_server_has_its_own_verdict(folder: Path) -> None:
    save(URL, LEGACY, NOW)
    save(URL + "/", MODERN, NOW)
    assert (load(URL, NOW), load(URL + "/", NOW), load("https://other.example/", NOW)) == (LEGACY, MODERN, None)


def test_no_eras_forget_the_server(file: Path) -> None:
    save(URL, frozenset(), NOW)
    assert load(URL, NOW) is None
    assert not file.exists()


def test_a_word_that_is_no_era_is_the_callers_mistake(file: Path) -> None:
    with pytest.raises(ValueError, match="future"):
        save(URL, frozenset({"future"}), NOW)
    assert load(URL, NOW) == BOTH


@pytest.mark.parametrize(
    ("later", "known"),
    [(0.0, True), (LIFETIME - 1, True), (LIFETIME + 1, False), (-10.0, False), (-LIFETIME, False)],
    ids=["at-once", "in-a-week", "after-a-week", "from-the-future", "from-far-in-the-future"],
)
def test_a_verdict_holds_for_a_week(file: Path, later: float, known: bool) -> None:
    assert load(URL, NOW + later) == (BOTH if known else None)


def test_the_file_does_not_tell_which_server_it_is_of(file: Path) -> None:
    assert file.read_bytes() == b"eras 1 1785283200 legacy modern\n"
    assert not any(word in file.name for word in ("example", "team", "blue", "mcp."))


@posix
def test_the_file_is_its_owners_alone(file: Path) -> None:
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


DAMAGED = {
    "empty": b"",
    "cut": b"eras 1 1785283200 legacy mod",
    "no-end": b"eras 1 1785283200 modern",
    "more": b"eras 1 1785283200 modern\nmodern\n",
    "no-eras": b"eras 1 1785283200 \n",
    "order": b"eras 1 1785283200 modern legacy\n",
    "other-era": b"eras 1 1785283200 future\n",
    "later-format": b"eras 2 1785283200 modern\n",
    "no-time": b"eras 1 now modern\n",
    "negative-time": b"eras 1 -5 modern\n",
    "endless-time": b"eras 1 " + b"9" * 5000 + b" modern\n",
    "other-digits": "eras 1 \u0661\u0667 modern\n".encode(),
    "json": b'{"eras":["modern"]}',
    "binary": bytes(range(256)),
    "huge": b"eras 1 1785283200 modern\n" * (LIMIT // 20),
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
def test_what_does_not_make_sense_is_unknown_and_replaced(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    assert load(URL, NOW) is None
    save(URL, MODERN, NOW)
    assert load(URL, NOW) == MODERN


@posix
@pytest.mark.parametrize("what", ["link", "pipe", "folder", "writable"])
def test_a_file_that_may_not_be_ours_is_unknown(
    file: Path, tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    if what == "writable":
        file.chmod(0o622)
    else:
        file.rename(tmp_path / "elsewhere")
    if what == "link":
        file.symlink_to(tmp_path / "elsewhere")
    elif what == "pipe":
        os.mkfifo(file)
    elif what == "folder":
        file.mkdir()
    with caplog.at_level(logging.DEBUG, "bridge.store"):
        assert load(URL, NOW) is None
    assert "cannot be read" in caplog.text
    save(URL, MODERN, NOW)
    assert load(URL, NOW) == (None if what == "folder" else MODERN)


@pytest.mark.parametrize("place", ["folder", "above"])
def test_where_nothing_can_be_written_nothing_is_kept(
    folder: Path, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = folder if place == "folder" else folder.parent
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("a file stands where the folder belongs")
    with caplog.at_level(logging.DEBUG, "bridge.store"):
        save(URL, MODERN, NOW)
        save(URL, frozenset(), NOW)
        assert load(URL, NOW) is None
    assert blocked.read_text() == "a file stands where the folder belongs"
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}
    assert "cannot be stored" in caplog.text
    assert URL not in caplog.text


def test_a_save_that_fails_leaves_the_old_verdict(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bridge.store.file.os.fsync", fail)
    save(URL, MODERN, NOW)
    monkeypatch.undo()
    assert list(file.parent.iterdir()) == [file]
    assert file.read_bytes() == b"eras 1 1785283200 legacy modern\n"


def test_a_home_that_is_not_to_be_found_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(era_cache, "cache_folder", fail)
    save(URL, MODERN, NOW)
    assert load(URL, NOW) is None


_WRITER = """
import sys
from pathlib import Path
from bridge.store import era_cache
era_cache.cache_folder = lambda: Path(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for _ in range(200):
    era_cache.save(sys.argv[2], frozenset(sys.argv[3].split()), float(sys.argv[4]))
"""


def test_two_processes_that_save_at_once_leave_one_whole_verdict(folder: Path) -> None:
    def start(words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(folder), URL, words, str(NOW)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    with start("legacy") as one, start("legacy modern") as two:
        watches = [threading.Timer(stretched(DEADLINE), writer.kill) for writer in (one, two)]
        for watch in watches:
            watch.start()
        try:
            for writer in (one, two):
                assert writer.stdout is not None
                assert writer.stdout.readline() == "ready\n"
            save(URL, LEGACY, NOW)
            for writer in (one, two):
                assert writer.stdin is not None
                writer.stdin.write("go\n")
                writer.stdin.flush()
            seen = []
            while one.poll() is None or two.poll() is None:
                seen.append(load(URL, NOW))
        finally:
            for watch in watches:
                watch.cancel()
    assert (one.returncode, two.returncode) == (0, 0)
    assert set(seen) <= {LEGACY, BOTH}
    assert len(seen) > 1
    assert load(URL, NOW) in (LEGACY, BOTH)
    assert len(list(folder.iterdir())) == 1
