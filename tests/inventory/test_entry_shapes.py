"""An entry in the form of each host, written and read."""

from typing import Any

import pytest

from bridge.inventory import entry_shapes
from bridge.inventory.entry_shapes import (
    COPILOT,
    GOOSE,
    KIMI,
    OPENCODE,
    PLAIN,
    STDIO,
    ZED,
    EntryShape,
    Launch,
    RemoteServer,
    read_entry,
)
from bridge.inventory.host_table import HOSTS, HostRow

URL = "https://mcp.example/mcp"
LAUNCH = Launch("/bin/bridge", (URL, "--header", "A: b"), {"KEY": "planted"})
WORDS = [URL, "--header", "A: b"]

# The entries as the hosts' own programs and pages show them.
WRITTEN: list[tuple[EntryShape, dict[str, Any]]] = [
    (PLAIN, {"command": "/bin/bridge", "args": WORDS, "env": {"KEY": "planted"}}),
    (STDIO, {"type": "stdio", "command": "/bin/bridge", "args": WORDS, "env": {"KEY": "planted"}}),
    (KIMI, {"transport": "stdio", "command": "/bin/bridge", "args": WORDS, "env": {"KEY": "planted"}}),
    (ZED, {"source": "custom", "command": "/bin/bridge", "args": WORDS, "env": {"KEY": "planted"}}),
    (COPILOT, {"type": "local", "command": "/bin/bridge", "args": WORDS, "env": {"KEY": "planted"}, "tools": ["*"]}),
    (
        OPENCODE,
        {
            "type": "local",
            "command": ["/bin/bridge", *WORDS],
            "environment": {"KEY": "planted"},
            "enabled": True,
        },
    ),
    (
        GOOSE,
        {
            "name": "n",
            "type": "stdio",
            "cmd": "/bin/bridge",
            "args": WORDS,
            "envs": {"KEY": "planted"},
            "enabled": True,
            "timeout": 300,
        },
    ),
]


@pytest.mark.parametrize(("shape", "entry"), WRITTEN)
def test_an_entry_has_the_members_that_its_host_reads(shape: EntryShape, entry: dict[str, Any]) -> None:
    assert shape.entry_of("n", LAUNCH) == entry
    assert list(shape.entry_of("n", LAUNCH)) == list(entry), "in the order of the host's page"


@pytest.mark.parametrize("launch", [LAUNCH, Launch("C:\\b.exe")], ids=["whole", "bare"])
@pytest.mark.parametrize("row", HOSTS, ids=lambda row: row.key)
def test_what_is_written_is_read_again(row: HostRow, launch: Launch) -> None:
    assert read_entry(row.shape.entry_of("n", launch)) == launch


@pytest.mark.parametrize(
    "entry",
    [
        {"url": URL, "headers": {"A": "b"}},
        {"serverUrl": URL, "headers": {"A": "b"}},
        {"httpUrl": URL, "headers": {"A": "b"}, "timeout": 5},
        {"type": "http", "url": URL, "http_headers": {"A": "b"}},
        {"type": "remote", "url": URL, "headers": {"A": "b"}, "enabled": True},
        {"type": "streamable_http", "uri": URL, "headers": {"A": "b"}},
    ],
)
def test_a_server_that_the_host_connects_to_is_read_in_every_form(entry: dict[str, Any]) -> None:
    assert read_entry(entry) == RemoteServer(URL, {"A": "b"})


def test_an_older_form_of_zed_is_read() -> None:
    entry = {"command": {"path": "b", "args": ["a"], "env": {"K": "v"}}, "settings": {}}
    assert read_entry(entry) == Launch("b", ("a",), {"K": "v"})


@pytest.mark.parametrize(
    "entry",
    [
        *(None, [], "x", {}, {"command": 1}, {"command": []}, {"command": [1]}, {"command": "a", "args": "b"}),
        *({"command": "a", "args": [1]}, {"command": "a\0"}, {"command": "a", "args": ["\0"]}, {"url": 1}),
        *({"command": "a", "env": {"A": "\0"}}, {"command": {"path": None}}),
    ],
)
def test_what_is_no_entry_is_none(entry: object) -> None:
    assert read_entry(entry) is None


def test_secrets_are_in_no_repr() -> None:
    assert "planted" not in repr(LAUNCH)
    assert "planted" not in repr(RemoteServer("https://planted.example", {"A": "planted"}))
    assert entry_shapes.read_entry({"command": "a", "env": {"A": 1, "B": "c"}}) == Launch("a", (), {"B": "c"})
