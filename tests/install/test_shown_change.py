"""A change of a host's file, as the user sees it."""

import json
from pathlib import Path

import pytest

from bridge.documents.reading import read_config
from bridge.documents.replacing import planned
from bridge.install.installing import plan_entry
from bridge.install.shown_change import shown_diff
from bridge.inventory.entry_shapes import Launch
from bridge.inventory.host_table import HOSTS, HostRow
from tests.install.host_files import PLANTED, file_of

LAUNCH = Launch("/bin/mcp-remote-bridge", ("https://mcp.example/mcp",))


@pytest.mark.parametrize("row", HOSTS, ids=lambda row: row.key)
def test_variables_and_headers_of_other_entries_are_hidden(row: HostRow, tmp_path: Path) -> None:
    suffix = Path(row.files["linux"][0].rstrip("}")).suffix
    path = tmp_path / f"file{suffix}"
    path.write_text(file_of(row.key), encoding="utf-8")
    plan = plan_entry(row, path, "example", LAUNCH, replaces=False)
    assert plan.change is not None
    shown = shown_diff(plan.change, read_config(path))
    assert PLANTED not in shown
    assert "+" in shown
    assert LAUNCH.command in shown


def test_a_file_of_one_line_hides_them_too(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    entry = {"url": "https://x.example", "headers": {"Authorization": f"Bearer {PLANTED}", "X": PLANTED}}
    path.write_text(json.dumps({"mcpServers": {"a": entry}}))
    change = planned(path, lambda _: "{}")
    shown = shown_diff(change, read_config(path))
    assert PLANTED not in shown
    assert '"X": "(hidden)"' in shown


@pytest.mark.parametrize(
    "words",
    [
        ["--token", PLANTED],
        [f"--api-key={PLANTED}"],
        ["--header", f"Authorization: Bearer {PLANTED}"],
        ["-e", "--header", f"X-Api-Key:{PLANTED}"],
    ],
    ids=" ".join,
)
def test_what_another_program_gets_as_a_secret_is_hidden_too(words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"a": {"command": "other", "args": words}}}))
    shown = shown_diff(planned(path, lambda _: "{}"), read_config(path))
    assert PLANTED not in shown
    assert '"command": "other"' in shown


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_bytes(b'{\n// \x1b[31mred\x07\n"a": 1}\n')
    change = planned(path, lambda text: text + "\n")
    assert "\x1b" not in shown_diff(change, None)
    assert "\x07" not in shown_diff(change, None)
