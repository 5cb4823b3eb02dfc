"""What the README tells people to type and to paste is what the program takes."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from bridge.cli.program import cli
from bridge.config import SignInSettings
from bridge.inventory.host_entries import HostFile, host_files, read_entries

TEXT = (Path(__file__).resolve().parents[1] / "README.md").read_text("utf-8")
URL = "https://mcp.example.com/mcp"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize(("key", "suffix"), [("mcpServers", "json"), ("servers", "json"), ("mcp_servers", "toml")])
def test_the_entries_to_paste_run_the_bridge(key: str, suffix: str, tmp_path: Path) -> None:
    [text] = [block for block in blocks(suffix) if f'"{key}"' in block or f"[{key}." in block]
    (tmp_path / f"a.{suffix}").write_text(text)
    found = read_entries([HostFile("Host", tmp_path / f"a.{suffix}", (key,))])
    assert found.notes == ()
    assert [(entry.name, entry.arguments) for entry in found.entries] == [("example", (URL,))]


def test_an_entry_with_a_key_is_json_too() -> None:
    [text] = [block for block in blocks("json") if "AUTH" in block]
    assert json.loads(f"{{{text}}}")["args"] == [URL, "--header", "Authorization:${AUTH}"]


def test_the_files_are_those_in_which_names_are_looked_up() -> None:
    told = TEXT.replace("\\", "/").replace("%APPDATA%", "~/AppData/Roaming")
    for platform in ("darwin", "win32", "linux"):
        for file in host_files(platform, {}, Path("/home/me")):
            if file.host in ("Claude Desktop", "Cursor", "Gemini CLI", "Codex"):
                assert f"`~{file.path.as_posix().removeprefix('/home/me')}`" in told


@pytest.mark.parametrize("host", ["claude", "gemini"])
def test_the_commands_of_hosts_end_in_the_bridge_and_the_url(host: str) -> None:
    [line] = re.findall(rf"\b{host} mcp add [^`\n]+", TEXT)
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


def test_the_toml_is_toml() -> None:
    assert all(tomllib.loads(block) for block in blocks("toml"))
