"""The table of error kinds is the enum's."""

import pytest

from bridge.errors import ErrorKind
from scripts import error_kinds


def test_the_page_has_the_table_that_the_script_writes() -> None:
    page = error_kinds.PAGE.read_text("utf-8")
    fresh = error_kinds.table(error_kinds.SOURCE.read_text("utf-8"))
    assert error_kinds.with_table(page, fresh) == page, "run: python3 scripts/error_kinds.py --write"


def test_each_kind_says_when_it_is_told_and_what_the_user_does() -> None:
    rows = error_kinds.rows(error_kinds.SOURCE.read_text("utf-8"))
    assert [kind for kind, _, _ in rows] == list(ErrorKind)
    assert all(happened and to_do.endswith(".") for _, happened, to_do in rows)


def test_a_kind_without_a_text_is_refused() -> None:
    with pytest.raises(ValueError, match="line 3"):
        error_kinds.rows("class ErrorKind:\n    'All.'\n    A = 'a'\n    B = 'b'\n")


def test_only_what_stands_between_the_marks_is_written() -> None:
    readme = f"Before\n{error_kinds.BEGIN}old\n{error_kinds.END}After\n"
    assert error_kinds.with_table(readme, "new\n") == readme.replace("old", "new")
    with pytest.raises(ValueError, match="no place"):
        error_kinds.with_table("Before\n", "new\n")
