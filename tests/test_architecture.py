"""ARCHITECTURE.md names every file of the program, in the section of its room."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / "bridge"
ROW = re.compile(r"^\| (?P<files>(?:`\w+`(?:, )?)+) \|", re.MULTILINE)


def named(page: str) -> Iterator[tuple[str, str]]:
    """(room, file) of each row of the page's tables of files; the room is the last one that a heading names."""
    room = ""
    for line in page.splitlines():
        if line.startswith("#") and (rooms := re.findall(r"`([\w/]+)/`", line)):
            room = rooms[0]
        if head := re.match(r"\| file of `(\w+)/` ", line):
            room = head[1]
        elif line == "| leaf | subject |":
            room = ""
        if row := ROW.match(line):
            for file in re.findall(r"`(\w+)`", row["files"]):
                yield room, file


def there_are() -> Iterator[tuple[str, str]]:
    for path in PROGRAM.rglob("*.py"):
        if path.name != "__init__.py":
            room = path.parent.relative_to(PROGRAM).as_posix()
            yield ("" if room in (".", "config") else room), path.stem


def test_the_page_names_every_file_of_the_program_once() -> None:
    rows = list(named((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")))
    assert sorted(rows) == sorted(there_are())


def test_a_row_belongs_to_the_room_of_its_heading() -> None:
    page = "## `a/`\n| `x`, `y` | two |\n### `a/b/`: more\n| `z` | one |\n| file of `c/` | s |\n| `w` | one |\n"
    assert list(named(page)) == [("a", "x"), ("a", "y"), ("a/b", "z"), ("c", "w")]
