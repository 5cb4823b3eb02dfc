"""A configuration file changed: planned, shown and replaced, or an error and nothing lost."""

import codecs
import stat
from pathlib import Path

import pytest

from bridge.documents.editing import with_value, without
from bridge.documents.replacing import DocumentError, FileChange, planned, replace

PATH = ("mcpServers", "x")
SECRET = "pl4nted-s3cret"


def added(text: str) -> str:
    return with_value(text, "json", PATH, {"command": "b"})


def removed(text: str) -> str:
    return without(text, "json", PATH, 2)


def test_a_file_that_is_missing_is_made_for_the_user_only_and_taken_away_again(tmp_path: Path) -> None:
    path, backups = tmp_path / "a" / "b" / "config.json", tmp_path / "backups"
    assert replace(planned(path, added), backups) is None
    assert path.read_text("utf-8") == added("")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    kept = replace(planned(path, removed, removes_empty=True), backups)
    assert not path.exists()
    assert kept is not None
    assert kept.read_text("utf-8") == added("")


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ],
)
def test_byte_order_mark_encoding_and_line_ends_are_kept(tmp_path: Path, mark: bytes, encoding: str) -> None:
    path = tmp_path / "config.json"
    text = '{\r\n\t"ä": "\N{GRINNING FACE}" // c\r\n}\r\n'
    path.write_bytes(mark + text.encode(encoding))
    path.chmod(0o644)
    replace(planned(path, added), tmp_path / "backups")
    assert path.read_bytes() == mark + added(text).encode(encoding)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    replace(planned(path, removed), tmp_path / "backups")
    assert path.read_bytes() == mark + text.encode(encoding)


def test_a_change_is_shown_with_three_lines_around_it(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(f'{{\n  "a": 1,\n  "b": 2,\n  "c": 3,\n  "key": "{SECRET}"\n}}\n')
    shown = planned(path, added).diff(lambda line: line.replace(SECRET, "***"))
    assert shown.splitlines() == [
        f"--- {path}",
        f"+++ {path}",
        "@@ -2,5 +2,10 @@",
        '   "a": 1,',
        '   "b": 2,',
        '   "c": 3,',
        '-  "key": "***"',
        '+  "key": "***",',
        '+  "mcpServers": {',
        '+    "x": {',
        '+      "command": "b"',
        "+    }",
        "+  }",
        " }",
    ]


def test_nothing_is_written_where_nothing_changes(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("{}")
    change = planned(path, removed)
    assert change.is_empty
    assert replace(change, tmp_path / "backups") is None
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("{}")
    change = planned(path, added)
    path.write_text('{"host": 1}')
    with pytest.raises(DocumentError, match="changed meanwhile, so nothing was written"):
        replace(change, tmp_path / "backups")
    assert path.read_text() == '{"host": 1}'
    assert isinstance(change, FileChange)
