"""What the README tells people to type and to paste is what the program takes."""

import re
import shlex
from pathlib import Path

import click

from bridge.cli.program import cli
from bridge.config import SignInSettings
from bridge.inventory.host_entries import HostFile, read_entries

TEXT = (Path(__file__).resolve().parents[1] / "README.md").read_text("utf-8")
URL = "https://mcp.example.com/mcp"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_entry_to_paste_runs_the_bridge(tmp_path: Path) -> None:
    [text] = blocks("json")
    (tmp_path / "a.json").write_text(text)
    found = read_entries([HostFile("Host", tmp_path / "a.json", ("mcpServers",))])
    assert found.notes == ()
    assert [(entry.name, entry.arguments) for entry in found.entries] == [("example", (URL,))]


def test_the_command_of_claude_code_ends_in_the_bridge_and_the_url() -> None:
    [line] = re.findall(r"\bclaude mcp add [^`\n]+", TEXT)
    assert shlex.split(line)[-2:] == ["mcp-remote-bridge", URL]


def test_every_command_is_told() -> None:
    for name in cli.list_commands(click.Context(cli)):
        assert f"mcp-remote-bridge {name}" in TEXT


def test_the_first_screen_says_what_it_is_for_and_what_to_type() -> None:
    first = TEXT[: TEXT.index("\n## ")]
    for word in ("private network", "VPN", "pipx install .", "uv tool install ."):
        assert word in first
    assert f"```sh\nmcp-remote-bridge install claude-desktop {URL}\n```" in first


def test_the_answer_within_is_the_programs() -> None:
    assert f"answer within {SignInSettings().answer_within:g} s" in TEXT
