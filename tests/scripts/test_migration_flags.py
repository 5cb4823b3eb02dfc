"""`docs/from-mcp-remote.md` says what `bridge/migrate/flag_tables` does."""

import pytest

from scripts.migration_flags import BEGIN, COMMAND, END, PAGE, tables, with_tables


def test_the_page_has_the_tables_of_the_code() -> None:
    page = PAGE.read_text("utf-8")
    assert page == with_tables(page, tables()), f"run: {COMMAND}"


def test_the_tables_say_what_becomes_of_a_flag() -> None:
    assert "| `--header-file` | `--header-file` |\n" in tables()
    assert "| `--ignore-tool` | `--ignore-tool` |\n" in tables()
    assert "| none of `--transport` | `--transport sse` |\n" in tables()


def test_the_tables_stand_between_two_marks() -> None:
    assert with_tables(f"a\n{BEGIN}old\n{END}b\n", "new\n") == f"a\n{BEGIN}\nnew\n\n{END}b\n"
    with pytest.raises(ValueError, match="no place"):
        with_tables("a\n", "new\n")
