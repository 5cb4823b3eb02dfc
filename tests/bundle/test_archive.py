"""The same files make the same archive, and a file is replaced as a whole."""

import io
import zipfile
from pathlib import Path

import pytest

from bridge.bundle.archive import archive, write_archive
from bridge.errors import UsageError


def test_the_same_files_make_the_same_bytes() -> None:
    assert archive({"b/c": b"2", "a": b"1" * 999}) == archive({"a": b"1" * 999, "b/c": b"2"})


def test_times_and_rights_are_fixed() -> None:
    with zipfile.ZipFile(io.BytesIO(archive({"b/c": b"2", "a": b"1"}))) as read:
        assert read.namelist() == ["a", "b/c"]
        assert {entry.date_time for entry in read.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.external_attr >> 16 for entry in read.infolist()} == {0o100644}
        assert read.read("b/c") == b"2"
        assert read.testzip() is None


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.mcpb"
    path.write_bytes(b"before")
    write_archive(path, b"after")
    assert [(found.name, found.read_bytes()) for found in tmp_path.iterdir()] == [("a.mcpb", b"after")]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be written.*Name another file with -o"):
        write_archive(tmp_path / "none" / "a.mcpb", b"")
