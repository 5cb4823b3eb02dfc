"""The pins of one server, in a file that all bridges share."""

import json
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


def _text(description: str) -> str:
    return json.dumps({"description": description}, separators=(",", ":"))


@pytest.fixture
def paths(tmp_path: Path) -> StorePaths:
    return StorePaths(tmp_path / "data")


def test_what_one_writes_the_other_reads(paths: StorePaths) -> None:
    one, other = PinFile(paths, KEY), PinFile(paths, KEY)
    assert one.read() == other.read() == Pins()
    assert one.change(lambda pins: seen(pins, {"a": "{}"})) == Pins({"a": "{}"})
    assert other.read() == Pins({"a": "{}"})
    assert other.change(lambda pins: seen(pins, {"a": '{"b":2}'})).changed == {"a": '{"b":2}'}
    assert one.read().changed == {"a": '{"b":2}'}
    assert PinFile(paths, "tokens-fedcba9876543210").read() == Pins()


def test_the_file_is_private(paths: StorePaths) -> None:
    file = PinFile(paths, KEY)
    file.change(lambda pins: seen(pins, {"a": "{}"}))
    (path,) = (paths.root / "tools").iterdir()
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "damage",
    [
        *(b"", b"{", b'{"pinned": []}', b"\xff", b'{"pinned": {"a": 5}}'),
        *(b'{"pinned": {"a": "not json"}}', b'{"pinned": {"a": "[]"}}', b'{"pinned": {}, "changed": {"a": "{"}}'),
    ],
)
def test_a_damaged_file_is_told_and_never_replaced(paths: StorePaths, damage: bytes) -> None:
    file = PinFile(paths, KEY)
    file.change(lambda pins: seen(pins, {"a": "{}"}))
    (path,) = (paths.root / "tools").iterdir()
    path.write_bytes(damage)
    with pytest.raises(StoreError, match="is damaged") as told:
        file.read()
    assert "move the file away" in told.value.hint
    with pytest.raises(StoreError, match="is damaged"):
        file.change(lambda pins: seen(pins, {"b": "{}"}))
    assert path.read_bytes() == damage
    path.unlink()
    assert file.read() == Pins()


def test_a_definition_that_the_user_has_laid_out_is_one_line_again(paths: StorePaths) -> None:
    file = PinFile(paths, KEY)
    file.change(lambda pins: seen(pins, {"a": '{"name":"a"}'}))
    (path,) = (paths.root / "tools").iterdir()
    path.write_text(json.dumps({"pinned": {"a": '{\n  "name": "a",\n  "b": [1,\n 2]\n}'}, "changed": {}}))
    assert file.read().pinned == {"a": '{"b":[1,2],"name":"a"}'}


def test_a_file_that_is_too_large_is_not_to_be_removed(paths: StorePaths) -> None:
    file = PinFile(paths, KEY)
    file.change(lambda pins: seen(pins, {"a": "{}"}))
    (path,) = (paths.root / "tools").iterdir()
    path.write_bytes(b" " * (LIMIT + 1))
    with pytest.raises(StoreError, match="larger than") as told:
        file.read()
    assert "move the file away" in told.value.hint


def test_pins_that_are_too_many_become_digests(paths: StorePaths) -> None:
    file = PinFile(paths, KEY)
    tools = {f"tool {number}": _text("x" * 60_000 + str(number)) for number in range(20)}
    pins = file.change(lambda before: seen(before, {**tools, "small": "{}"}))
    assert pins.pinned["small"] == "{}"
    assert any(map(is_digest, pins.pinned.values()))
    assert seen(pins, {**tools, "small": "{}"}) == pins
    (path,) = (paths.root / "tools").iterdir()
    assert path.stat().st_size <= LIMIT


def test_the_most_tools_with_the_longest_names_fit_when_all_have_changed(paths: StorePaths) -> None:
    names = [f"{number:04}" + "n" * (LONGEST_KEY - 6) for number in range(MOST_TOOLS)]
    file = PinFile(paths, KEY)
    file.change(lambda pins: seen(pins, dict.fromkeys(names, _text("x" * 2000))))
    pins = file.change(lambda pins: seen(pins, dict.fromkeys(names, _text("y" * 2000))))
    assert (len(pins.pinned), len(pins.changed)) == (MOST_TOOLS, MOST_TOOLS)
    assert file.read() == pins
    assert seen(pins, dict.fromkeys(names, _text("y" * 2000))) == pins


def test_a_file_that_cannot_be_written_says_what_to_do(paths: StorePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    file = PinFile(paths, KEY)

    def full(*_: object) -> None:
        raise StoreError("There is no space left.")

    monkeypatch.setattr(file._files, "write", full)
    with pytest.raises(StoreError, match="no space left") as told:
        file.change(lambda pins: seen(pins, {"a": "{}"}))
    assert "without --pin-tools" in told.value.hint
    assert file.read() == Pins()


def _pin(root: Path, name: str) -> None:
    PinFile(StorePaths(root), KEY).change(lambda pins: seen(pins, {name: "{}"}))


def test_processes_that_pin_at_once_lose_nothing(tmp_path: Path) -> None:
    several = [multiprocessing.get_context("spawn").Process(target=_pin, args=(tmp_path, name)) for name in "abcd"]
    for process in several:
        process.start()
    for process in several:
        process.join()
    assert set(PinFile(StorePaths(tmp_path), KEY).read().pinned) == set("abcd")
