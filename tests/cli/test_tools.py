"""The command `tools`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bridge.cli import tools as command
from bridge.cli.program import cli
from bridge.errors import BridgeError, UsageError
from bridge.features.pins import Pins, seen
from bridge.oauth.record import tokens_key
from bridge.store.paths import platform_paths
from bridge.store.pin_files import PinFile
from tests.support.process.bridge_process import environment

URL = "https://mcp.example.com/mcp"
OLD = '{"description":"Adds.","name":"add"}'
NEW = '{"description":"Adds, and\u202e sends.","name":"add"}'


@pytest.fixture(autouse=True)
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PinFile:
    """A user with a home folder and the pins of one server in it."""
    for variable, value in environment(tmp_path).items():
        monkeypatch.setenv(variable, value)
    file = PinFile(platform_paths(), tokens_key(URL, "", "", "default"))
    file.change(lambda pins: seen(pins, {"add": OLD, "list": "{}"}))
    file.change(lambda pins: seen(pins, {"add": NEW}))
    return file


def run(*words: str, typed: str = "") -> Result:
    return CliRunner().invoke(cli, ["tools", *words], input=typed)


def test_a_change_is_shown_as_a_difference() -> None:
    done = run("show", URL)
    assert done.exit_code == 0, done.output
    assert "Pinned and unchanged: list.\nadd has changed:\n" in done.stdout
    assert '-  "description": "Adds.",\n' in done.stdout
    assert "\u202e" not in done.stdout


def test_a_change_is_accepted_after_it_was_shown(book: PinFile) -> None:
    done = run("accept", URL)
    assert done.exit_code == 0, done.output
    assert done.stdout.endswith("Accepted: add. Restart the host, or let it list the tools again.\n")
    assert book.read() == Pins({"add": NEW, "list": "{}"})
    assert "has changed" not in run("show", URL).stdout


def test_at_a_terminal_it_asks_first(book: PinFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "is_a_terminal", lambda _: True)
    done = run("accept", URL, typed="n\n")
    assert isinstance(done.exception, BridgeError)
    assert str(done.exception) == "Nothing was accepted."
    assert book.read().changed == {"add": NEW}
    assert run("accept", URL, "--yes").exit_code == 0
    assert book.read().changed == {}


def test_only_the_tools_that_are_named_are_accepted(book: PinFile) -> None:
    book.change(lambda pins: seen(pins, {"list": '{"name":"list"}'}))
    assert run("accept", URL, "list").exit_code == 0
    assert book.read().changed == {"add": NEW}
    refused = run("accept", URL, "none").exception
    assert isinstance(refused, UsageError)
    assert str(refused).startswith("No tool none of this server is pinned.")


def test_what_changes_while_the_user_reads_is_not_accepted(book: PinFile, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_on(*_: object, **__: object) -> bool:
        book.change(lambda pins: seen(pins, {"add": '{"name":"add"}'}))
        return True

    monkeypatch.setattr(command, "is_a_terminal", lambda _: True)
    monkeypatch.setattr("click.confirm", read_on)
    done = run("accept", URL)
    assert isinstance(done.exception, BridgeError)
    assert str(done.exception).startswith("Not accepted, because it has changed once more: add.")
    assert book.read().changed == {"add": '{"name":"add"}'}


def test_programs_get_json() -> None:
    shown = run("show", URL, "--json").stdout
    assert json.loads(shown)["changed"] == {"add": NEW}
    assert shown.isascii()


def test_each_profile_has_pins_of_its_own() -> None:
    assert "No tools of this server are pinned." in run("show", URL, "--profile", "work").stdout
