"""A bundle's manifest and its other files."""

import ast
import io
import json
import sys
import tomllib
import zipfile
from typing import Any

import msgspec
import pytest

from bridge import __version__
from bridge.bundle.bundle import BundleContent, bundle, manifest
from bridge.bundle.icon import Icon
from bridge.bundle.own_packages import WHEEL_NAME
from bridge.bundle.questions import Question, header_question
from bridge.errors import UsageError
from bridge.inventory.command_line import arguments_of

CONTENT = BundleContent(
    name="example",
    display_name="Example",
    description="An example.",
    author="Example Inc.",
    version="1.2.3",
    form="uv",
    fixed={"MCP_BRIDGE_URL": "https://example.com/mcp"},
    questions=(header_question("X-Api-Key", is_required=True),),
    icon=Icon(b"PNG", 512, 256),
)
PROGRAM = "server/mcp-remote-bridge.py"


def opened(content: BundleContent) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(bundle(content))) as read:
        return {name: read.read(name) for name in read.namelist()}


def test_the_manifest_of_the_uv_form() -> None:
    assert manifest(CONTENT) == {
        "manifest_version": "0.4",
        "name": "example",
        "display_name": "Example",
        "version": "1.2.3",
        "description": "An example.",
        "author": {"name": "Example Inc."},
        "server": {
            "type": "uv",
            "entry_point": PROGRAM,
            "mcp_config": {
                "command": "uv",
                "args": ["run", "--directory", "${__dirname}", PROGRAM],
                "env": {
                    "MCP_BRIDGE_URL": "https://example.com/mcp",
                    "MCP_BRIDGE_HEADER": "X-Api-Key: ${MCP_BUNDLE_HEADER_X_API_KEY}",
                    "MCP_BUNDLE_HEADER_X_API_KEY": "${user_config.header_x_api_key}",
                },
            },
        },
        "tools_generated": True,
        "prompts_generated": True,
        "compatibility": {"platforms": ["darwin", "linux", "win32"], "runtimes": {"python": ">=3.11"}},
        "icon": "icon.png",
        "icons": [{"src": "icon.png", "size": "512x256"}],
        "user_config": {
            "header_x_api_key": {
                "type": "string",
                "title": "X-Api-Key",
                "description": "The value of the header X-Api-Key, which is sent with every request.",
                "sensitive": True,
                "required": True,
            }
        },
    }


@pytest.mark.parametrize(
    ("platform", "command", "named"),
    [("linux", "python3", "linux"), ("darwin", "python3", "darwin"), ("win32", "python", "win32")],
)
def test_the_python_form_is_for_this_system_and_this_python(
    platform: str, command: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    made: Any = manifest(msgspec.structs.replace(CONTENT, form="python", questions=(), icon=None))
    config = made["server"]["mcp_config"]
    assert (config["command"], config["args"]) == (command, [f"${{__dirname}}/{PROGRAM}"])
    assert config["env"] == {"PYTHONPATH": "${__dirname}/server/lib", "MCP_BRIDGE_URL": "https://example.com/mcp"}
    major, minor = sys.version_info[:2]
    runtime = f">={major}.{minor} <{major}.{minor + 1}"
    assert made["compatibility"] == {"platforms": [named], "runtimes": {"python": runtime}}
    assert {"icon", "icons", "user_config"}.isdisjoint(made)


def test_the_uv_form_has_a_project_that_names_the_wheel_inside() -> None:
    files = opened(CONTENT)
    assert files.keys() == {"manifest.json", "pyproject.toml", PROGRAM, f"wheels/{WHEEL_NAME}", "icon.png"}
    project = tomllib.loads(files["pyproject.toml"].decode())
    assert project["project"]["dependencies"] == [f"mcp-remote-bridge=={__version__}"]
    assert project["tool"]["uv"]["sources"] == {"mcp-remote-bridge": {"path": f"wheels/{WHEEL_NAME}"}}
    assert json.loads(files["manifest.json"]) == manifest(CONTENT)
    assert 'sys.version_info[:2] < tuple(map(int, "3.11"' in files[PROGRAM].decode()
    ast.parse(files[PROGRAM])


def test_the_python_form_has_the_packages_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.bundle.bundle.own_folder", lambda: {"bridge/__init__.py": b"", "msgspec/a.py": b""})
    files = opened(msgspec.structs.replace(CONTENT, form="python"))
    assert {"server/lib/bridge/__init__.py", "server/lib/msgspec/a.py"} <= files.keys()
    assert "pyproject.toml" not in files
    wanted = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert f'sys.version_info[:2] != tuple(map(int, "{wanted}"' in files[PROGRAM].decode()
    ast.parse(files[PROGRAM])


def test_the_process_of_a_bundle_is_known_as_the_bridge() -> None:
    """`status` lists it, and its settings are in its environment."""
    assert arguments_of(["/bundle/.venv/bin/python3", PROGRAM], is_process=True) == ()


def test_the_same_content_makes_the_same_bytes() -> None:
    assert bundle(CONTENT) == bundle(CONTENT)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": ""}, "The name of a bundle"),
        ({"name": "A"}, "The name of a bundle"),
        ({"name": "../a"}, "The name of a bundle"),
        ({"name": "a-"}, "The name of a bundle"),
        ({"name": "a" * 65}, "The name of a bundle"),
        ({"version": "1"}, "three numbers"),
        ({"version": '1.0.0", "x": "'}, "three numbers"),
        ({"display_name": " "}, "A text of the bundle is empty"),
        ({"author": "a\nb"}, "a character that cannot be shown"),
        ({"fixed": {"MCP_BRIDGE_HEADER": "A: b\nx-api-key: c"}}, "asks for header_x_api_key, which the command line"),
        ({"questions": (Question("url", "URL", "Where.", "MCP_BRIDGE_URL"),)}, "asks for url, which the command line"),
    ],
)
def test_what_hosts_could_not_use_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        msgspec.structs.replace(CONTENT, **change)
