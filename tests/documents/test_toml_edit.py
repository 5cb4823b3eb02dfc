"""A table added to TOML stands with its relatives, and one removed takes nothing of theirs."""

from typing import Any

import pytest

from bridge.documents.editing import with_value, without
from tests.documents.test_editing import round_trip

PATH = ("mcp_servers", "x")
VALUE: dict[str, Any] = {"command": "b", "args": ["run", "x"], "env": {"A": "1"}}
TABLE = '[mcp_servers.x]\ncommand = "b"\nargs = ["run", "x"]\n\n[mcp_servers.x.env]\nA = "1"'
INLINE = '{ command = "b", args = ["run", "x"], env = { A = "1" } }'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"{TABLE}\n"),
        ('model = "m" # c', f'model = "m" # c\n\n{TABLE}'),
        ('model = "m"\n\n\n', f'model = "m"\n\n{TABLE}\n\n\n'),
        ("[mcp_servers.a]\nc = 1\n\n# of tui\n[tui]\nb = 2\n",
         f"[mcp_servers.a]\nc = 1\n\n{TABLE}\n\n# of tui\n[tui]\nb = 2\n"),
        ("[mcp_servers.a]\nc = 1\n# d = 2\n", f"[mcp_servers.a]\nc = 1\n# d = 2\n\n{TABLE}\n"),
        ("[mcp_servers]\na.c = 1\n", f"[mcp_servers]\na.c = 1\n\n{TABLE}\n"),
        ("mcp_servers.a.c = 1\n", f"mcp_servers.a.c = 1\n\n{TABLE}\n"),
        ("mcp_servers = {}\n", f"mcp_servers = {{x = {INLINE}}}\n"),
        ("mcp_servers = { a = { c = 1 } } # c\n", f"mcp_servers = {{ a = {{ c = 1 }}, x = {INLINE} }} # c\n"),
        ('n = """\n[mcp_servers.y]\n"""\n', f'n = """\n[mcp_servers.y]\n"""\n\n{TABLE}\n'),
        ("[[mcp]]\na = 1\n", f"[[mcp]]\na = 1\n\n{TABLE}\n"),
    ],
)  # fmt: skip
def test_a_new_table_stands_with_its_relatives(before: str, after: str) -> None:
    assert round_trip(before, "toml", PATH, VALUE) == after
    if "\n" in before:
        assert round_trip(before.replace("\n", "\r\n"), "toml", PATH, VALUE) == after.replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[mcp_servers.x]\na = 1\n[mcp_servers.x.env]\nb = 2\n\n[tui]\nc = 3\n", "\n[tui]\nc = 3\n"),
        ("a = 1\n\n# of x\n[mcp_servers.x] # c\nb = 2\n# d = 3\n\n[tui]\n", "a = 1\n\n# of x\n# d = 3\n\n[tui]\n"),
        ("[mcp_servers.x]\na = 1\n\n[tui]\nb = 2\n\n[mcp_servers.x.env]\nc = 3\n", "\n[tui]\nb = 2\n"),
        ("[mcp_servers]\nx.command = 'a'\ny.b = 1\nx.args = [\n 1,\n]\n", "[mcp_servers]\ny.b = 1\n"),
        ("[mcp_servers]\nx = { a = 1 } # c\ny = 2\n", "[mcp_servers]\ny = 2\n"),
        ("mcp_servers = { x = { a = '}' }, y = 2 }", "mcp_servers = { y = 2 }"),
        ("mcp_servers = { y = 2, x = { a = '}' } }", "mcp_servers = { y = 2 }"),
        ("mcp_servers = { x.a = 1, y = 2, x.b = 3 }", "mcp_servers = { y = 2 }"),
        ("[mcp_servers.\"x\"]\na = 1\n['mcp_servers' . x.env]\nb = 1\n", ""),
    ],
)  # fmt: skip
def test_a_table_goes_with_all_its_parts(before: str, after: str) -> None:
    assert without(before, "toml", PATH) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[mcp_servers.x]\na = 1\n\n[tui]\n\n[mcp_servers.x.env]\nc = 3\n", f"{TABLE}\n\n[tui]\n"),
        ("mcp_servers.x = 1 # c\nb = 2\n", f"mcp_servers.x = {INLINE} # c\nb = 2\n"),
        ("[mcp_servers]\nx.a = 1\ny = 2\nx.b = 3\n", f"[mcp_servers]\nx = {INLINE}\ny = 2\n"),
        ("[mcp_servers]\nx.a = 1\n\n[mcp_servers.x.b]\nc = 3\n", f"[mcp_servers]\nx = {INLINE}\n"),
        ("mcp_servers = { x = 1, y = 2 }\n", f"mcp_servers = {{ x = {INLINE}, y = 2 }}\n"),
    ],
)
def test_another_value_comes_where_the_first_part_was(before: str, after: str) -> None:
    assert with_value(before, "toml", PATH, VALUE) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "[mcp_servers]\nx = false\n"),
        ("[mcp_servers]\na = 1 # c\n\n[tui]\n", "[mcp_servers]\na = 1 # c\nx = false\n\n[tui]\n"),
        ("mcp_servers.a = 1\n[tui]\n", "mcp_servers.a = 1\nmcp_servers.x = false\n[tui]\n"),
    ],
)
def test_a_value_that_is_no_table_is_a_line_of_its_table(before: str, after: str) -> None:
    assert with_value(before, "toml", PATH, False) == after


def test_texts_are_escaped_as_toml_has_it() -> None:
    text = with_value("", "toml", PATH, {"a": 'q"\\\n\x7f\x01ä', "b": [1, 2.5, True, {"c": "d"}], "e": {}})
    assert text == ('[mcp_servers.x]\na = "q\\"\\\\\\n\\u007f\\u0001ä"\nb = [1, 2.5, true, { c = "d" }]\ne = {}\n')
