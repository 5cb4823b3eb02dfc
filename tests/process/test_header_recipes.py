"""The recipes of docs/headers.md, typed as they stand there, with stand-ins for the programs that they name."""

import json
import os
import re
import shlex
import sys
from pathlib import Path

import pytest

from bridge.config.header_command import PrintedHeaders, header_command_in
from bridge.process.header_command import HeaderCommandFailed, headers_of
from tests.support.waits import stretched

PAGE = Path(__file__).resolve().parents[2] / "docs" / "headers.md"
RECIPES = PAGE.read_text(encoding="utf-8").partition("## Recipes")[2]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-ins are programs of POSIX")


def typed(heading: str) -> str | tuple[str, ...]:
    """The command of the recipe under a heading."""
    section = re.split(r"^### ", RECIPES, flags=re.MULTILINE)
    [text] = [one for one in section if one.startswith(heading)]
    if found := re.search(r"```json\n(.*?)```", text, re.DOTALL):
        return tuple(json.loads(found[1])["mcpServers"]["mine"]["header_command"])
    [line] = re.findall(r"^mcp-remote-bridge .+$", text, re.MULTILINE)
    words = shlex.split(line)
    return words[words.index("--header-command") + 1]


def run(heading: str, folder: Path, program: str, script: str) -> PrintedHeaders:
    """Run the recipe where the program is this script, which sees its arguments."""
    file = folder / program
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    environ = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    return headers_of(header_command_in(typed(heading), sys.platform), environ, seconds=stretched(30))


def test_google_clouds_identity_token(tmp_path: Path) -> None:
    found = run("Google", tmp_path, "gcloud", '[ "$*" = "auth print-identity-token" ] && echo eyJ.a.b')
    assert found == PrintedHeaders((("Authorization", "Bearer eyJ.a.b"),), 3500)


def test_azures_access_token(tmp_path: Path) -> None:
    script = (
        'case "$*" in "account get-access-token --resource "*"--query {Authorization: join"*"--output json") '
        """printf '{\n  "Authorization": "Bearer eyJ.a.b"\n}\n' ;; *) exit 2 ;; esac"""
    )
    assert run("Azure", tmp_path, "az", script) == PrintedHeaders((("Authorization", "Bearer eyJ.a.b"),))


def test_a_companys_cookie(tmp_path: Path) -> None:
    found = run("A company", tmp_path, "sso-cookie", '[ "$1" = mcp.example.com ] && echo "sso=abc; team=blue"')
    assert found == PrintedHeaders((("Cookie", "sso=abc; team=blue"),), 28_800)


@pytest.mark.parametrize(("heading", "program"), [("Google", "gcloud"), ("Azure", "az"), ("A company", "sso-cookie")])
def test_a_program_that_is_not_logged_in_fails_the_recipe(heading: str, program: str, tmp_path: Path) -> None:
    with pytest.raises(HeaderCommandFailed, match="failed with exit code 7: Please log in"):
        run(heading, tmp_path, program, "echo Please log in. >&2; exit 7")
