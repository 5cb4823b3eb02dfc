"""A host's configuration file: read, and where it is broken."""

import tomllib
from pathlib import Path

import pytest

from bridge.documents.reading import BrokenConfig, read_config

SECRET = "pl4nted-s3cret"


def why(path: Path, text: str | bytes) -> str:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(BrokenConfig) as raised:
        read_config(path)
    assert SECRET not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{\n  "a": 1\n  "b": 2\n}', "line 3, column 3: a comma or a closing bracket is missing before it"),
        ('{"a" 1}', "line 1, column 6: a colon is missing before it"),
        ("{'a': 1}", "line 1, column 2: a name in double quotes was expected"),
        ('{"a": }', "line 1, column 7: a value was expected"),
        (f'{{"a": "{SECRET}\n"}}', "line 1, column"),
        ('{"a": "C:\\tools\\x"}', "write a backslash in a string twice"),
        (f'{{"a": "{SECRET}', "line 1, column 7: the string that begins there does not end"),
        (f'{{"a": 1}} {SECRET}', "line 1, column 10: there is text after the end"),
        ('{\n// one\n/* two\n three */ "a": 1 "b"}', "line 4, column 18: a comma or a closing bracket"),
        ('{"a": [1, 2,],\n "//": "/*", // x\n "b" 2,}', "line 3, column 6: a colon is missing"),
        ('{"a": 1', "a comma or a closing bracket is missing before it"),
    ],
)
def test_broken_json_is_told_with_line_column_and_what_was_expected(tmp_path: Path, text: str, says: str) -> None:
    said = why(tmp_path / "a.json", text)
    assert said.startswith("it is not valid JSON, line ")
    assert says in said


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('a = 1\nb = "x\n', "line 2, column 7"),
        ("a = 1\na = 2\n", "line 2, column "),
        (f"a = {SECRET}", "line 1, column 5"),
        ("[x", "at its end"),
    ],
)
def test_broken_toml_is_told_with_line_and_column(tmp_path: Path, text: str, where: str) -> None:
    assert why(tmp_path / "a.toml", text).startswith(f"it is not valid TOML, {where}")


def test_the_place_is_read_from_the_message_that_every_python_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.14 has attributes besides it, and its constructor with one argument is deprecated there."""

    def fail(_: str) -> object:
        problem = tomllib.TOMLDecodeError.__new__(tomllib.TOMLDecodeError)
        problem.args = ("Invalid value (at line 7, column 12)",)
        raise problem

    monkeypatch.setattr(tomllib, "loads", fail)
    assert why(tmp_path / "a.toml", "x") == "it is not valid TOML, line 7, column 12: Invalid value"


def test_what_is_no_text_or_nested_too_deeply_is_told(tmp_path: Path) -> None:
    assert why(tmp_path / "a.json", b'{"a": "\xff"}') == "it is not UTF-8 text (at byte 8)"
    assert why(tmp_path / "a.json", b"[" * 100_000) == "it is nested too deeply"


def test_no_file_and_an_empty_one_are_nothing(tmp_path: Path) -> None:
    assert read_config(tmp_path / "no.json") is None
    (tmp_path / "a.json").write_text(" \n")
    assert read_config(tmp_path / "a.json") is None
