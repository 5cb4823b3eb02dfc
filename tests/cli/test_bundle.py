"""The command `bundle`."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.bundle.test_icon import png
from tests.cli.test_config import run

SECRET = "pl4nted-s3cret"
URL = "https://example.com/mcp"


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def manifest_in(path: Path) -> Any:
    with zipfile.ZipFile(path) as read:
        return json.loads(read.read("manifest.json"))


def test_a_bundle_is_named_by_the_host_of_its_url(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "bundle", URL)
    assert (code, err) == (0, "")
    assert out.startswith("Wrote example-com.mcpb (")
    made = manifest_in(tmp_path / "example-com.mcpb")
    assert (made["name"], made["server"]["type"]) == ("example-com", "uv")
    assert made["server"]["mcp_config"]["env"] == {"MCP_BRIDGE_URL": URL}
    assert "user_config" not in made


def test_without_a_url_the_bundle_asks_for_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, _ = run(capsys, "bundle", "-o", "any.mcpb", "--ask", "scope", "--ask-optional", "header:X-Key")
    assert code == 0
    asked = manifest_in(tmp_path / "any.mcpb")["user_config"]
    assert {key: entry["required"] for key, entry in asked.items()} == {
        "url": True,
        "scope": True,
        "header": False,
        "client_id": False,
        "client_secret": False,
        "header_x_key": False,
    }
    assert {key for key, entry in asked.items() if entry.get("sensitive")} == {
        *("header", "client_secret", "header_x_key")
    }


def test_what_users_read_is_taken_from_the_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "i.png").write_bytes(png(64, 64))
    words = ["--name", "own", "--display-name", "Own Server", "--description", "Does it.", "--author", "Own Inc."]
    code, _, _ = run(capsys, "bundle", URL, *words, "--icon", "i.png", "--bundle-version", "2.0.1")
    made = manifest_in(tmp_path / "own.mcpb")
    assert code == 0
    assert [made[key] for key in ("display_name", "description", "author", "version", "icon")] == [
        *("Own Server", "Does it.", {"name": "Own Inc."}, "2.0.1", "icon.png")
    ]


def test_the_settings_of_this_machine_do_not_get_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("URL", "HEADER", "CLIENT_SECRET", "SCOPE", "CONNECT_TIMEOUT"):
        monkeypatch.setenv(f"MCP_BRIDGE_{name}", SECRET)
    assert run(capsys, "bundle", "https://other.example/", "-o", "a.mcpb")[0] == 0
    assert manifest_in(tmp_path / "a.mcpb")["server"]["mcp_config"]["env"] == {
        "MCP_BRIDGE_URL": "https://other.example/"
    }
    with zipfile.ZipFile(tmp_path / "a.mcpb") as read:
        assert not [name for name in read.namelist() if SECRET.encode() in read.read(name)]


def test_what_everyone_can_read_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, err = run(capsys, "bundle", URL, "--header", "X-Team: blue", "--scope", "read", "--client-id", "")
    assert err == "mcp-remote-bridge: Everyone who gets the bundle can read MCP_BRIDGE_HEADER, MCP_BRIDGE_SCOPE.\n"


def test_the_python_form_says_where_it_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.bundle.bundle.own_folder", dict)
    assert "It runs on this system with Python 3." in run(capsys, "bundle", URL, "--form", "python")[2]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--header", f"Authorization: {SECRET}"], "Let the bundle ask for it: --ask 'header:Authorization'"),
        (["-o", "a.zip"], "a.zip does not end with .mcpb"),
        (["--icon", "none.png"], "none.png cannot be read"),
        (["--name", "Bad Name"], "The name of a bundle"),
    ],
)
def test_a_mistake_writes_nothing(
    words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "bundle", URL, *words)
    assert (code, out, SECRET in err) == (2, "", False)
    assert says in err
    assert list(tmp_path.iterdir()) == []
