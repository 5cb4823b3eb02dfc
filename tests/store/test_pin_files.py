"""The pins of one server, in a file that all bridges share."""

import multiprocessing
import stat
import sys
from pathlib import Path

import pytest

from bridge.features.pins import LONGEST_KEY, MOST_TOOLS, Pins, is_digest, seen
from bridge.store.errors import StoreError
from bridge.store.file import LIMIT
from bridge.store.paths import StorePaths
from bridge.store.pin_files import PinFile

KEY = "tokens-0123456789abcdef"


@pytest.fixture
def paths(tmp_path: Path) -> StorePaths:
    return StorePaths(tmp_path / "data")


def test_what_one_writes_the_other_reads(paths: StorePaths) -> None:
    one, other = PinFile(paths, KEY), PinFile(paths, KEY)
    assert one.read() == other.read() == Pins()
    assert one.change(lambda pins: seen(pins, {"a": "1"})) == Pins({"a": "1"})
    assert other.read() == Pins({"a": "1"})
    assert other.change(lambda pins: seen(pins, {"a": "2"})).changed == {"a": "2"}
    assert one.read().changed == {"a": "2"}
    assert PinFile(paths, "tokens-fedcba9876543210").read() == Pins()


def test_the_file_is_private(paths: StorePaths) -> None:
    file = PinFile(paths, KEY)
    file.change(lambda pins: seen(pins, {"a": "1"}))
    (path,) = (paths.root / "tools").iterdir()
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", [b"", b"{", b'{"pinned": []}', b"\xff", b'{"pinned": {"a": 5}}'])
def test_a_damaged_file_is_told_and_never_replaced(paths: StorePaths, damage: bytes) -> None:
    file = PinFile(paths, KEY)
    file.change(lambda pins: seen(pins, {"a": "1"}))
    (path,) = (paths.root / "tools").iterdir()
    path.write_bytes(damage)
    with pytest.raises(StoreError, match="is damaged") as told:
        file.read()
    assert "move it away" in told.value.hint
    with pytest.raises(StoreError, match="is damaged"):
        file.change(lambda pins: seen(pins, {"b": "1"}))
    assert path.read_bytes() == damage
    path.unlink()
    assert file.read() == Pins()


def test_pins_that_are_too_many_become_digests(paths: StorePaths) -> None:
    file = PinFile(paths, KEY)
    tools = {f"tool {number}": "x" * 60_000 + str(number) for number in range(20)}
    pins = file.change(lambda before: seen(before, {**tools, "small": "1"}))
    assert pins.pinned["small"] == "1"
    assert any(map(is_digest, pins.pinned.values()))
    assert seen(pins, {**tools, "small": "1"}) == pins
    (path,) = (paths.root / "tools").iterdir()
    assert path.stat().st_size <= LIMIT


def test_the_most_tools_with_the_longest_names_fit_when_all_have_changed(paths: StorePaths) -> None:
    names = [f"{number:04}" + "n" * (LONGEST_KEY - 6) for number in range(MOST_TOOLS)]
    file = PinFile(paths, KEY)
    file.change(lambda pins: seen(pins, dict.fromkeys(names, "x" * 2000)))
    pins = file.change(lambda pins: seen(pins, dict.fromkeys(names, "y" * 2000)))
    assert (len(pins.pinned), len(pins.changed)) == (MOST_TOOLS, MOST_TOOLS)
    assert file.read() == pins
    assert seen(pins, dict.fromkeys(names, "y" * 2000)) == pins


def test_a_file_that_cannot_be_written_says_what_to_do(paths: StorePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    file = PinFile(paths, KEY)

    def full(*_: object) -> None:
        raise StoreError("There is no space left.")

    monkeypatch.setattr(file._files, "write", full)
    with pytest.raises(StoreError, match="no space left") as told:
        file.change(lambda pins: seen(pins, {"a": "1"}))
    assert "without --pin-tools" in told.value.hint
    assert file.read() == Pins()


def _pin(root: Path, name: str) -> None:
    PinFile(StorePaths(root), KEY).change(lambda pins: seen(pins, {name: "1"}))


def test_processes_that_pin_at_once_lose_nothing(tmp_path: Path) -> None:
    several = [multiprocessing.get_context("spawn").Process(target=_pin, args=(tmp_path, name)) for name in "abcd"]
    for process in several:
        process.start()
    for process in several:
        process.join()
    assert set(PinFile(StorePaths(tmp_path), KEY).read().pinned) == set("abcd")
