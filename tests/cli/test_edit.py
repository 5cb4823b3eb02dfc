"""The command `edit`, with editors that are functions."""

from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from bridge.cli import edit as command
from bridge.cli.program import cli
from bridge.errors import BridgeError

RIGHT = '{"mcpServers": {"a": {"url": "https://example.com/mcp"}}}'
WRONG = RIGHT.replace("url", "uri")

Edited = Callable[[str], str]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of servers; what is kept goes to a home folder of the test's own."""
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "mine.json"
    path.write_text(RIGHT)
    return path


def run(monkeypatch: pytest.MonkeyPatch, file: Path, *edited: Edited, typed: str | None = None) -> Result:
    """`edit`, with an editor that changes the text in these ways, one each time; `typed` at a terminal."""
    ways = iter(edited)

    def editor(*, filename: str) -> None:
        path = Path(filename)
        path.write_text(next(ways)(path.read_text()))

    monkeypatch.setattr(click, "edit", editor)
    monkeypatch.setattr(command, "may_ask", lambda: typed is not None)
    done = CliRunner().invoke(cli, ["edit", "--config", str(file)], input=typed)
    assert next(ways, None) is None, "the editor was not opened so often"
    return done


def test_the_file_is_checked_and_its_former_content_kept(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done = run(monkeypatch, file, lambda text: text.replace("example", "other"))
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"{file}: 1 server, no mistakes.\nThe former content is in ")
    assert [path.read_text() for path in tmp_path.rglob("backups/*")] == [RIGHT]


def test_a_file_that_was_left_as_it_was_is_not_kept_again(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert run(monkeypatch, file, lambda text: text).exit_code == 0
    assert not list(tmp_path.rglob("backups/*"))


def test_mistakes_are_shown_and_the_exit_code_is_1(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, file, lambda _: WRONG)
    assert done.exit_code == 1
    assert "Did you mean url?" in done.stdout
    assert run(monkeypatch, file, lambda _: "{").exit_code == 1


def test_at_a_terminal_the_user_can_edit_it_again(file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done = run(monkeypatch, file, lambda _: WRONG, lambda _: "{", lambda _: RIGHT + "\n", typed="\ny\n")
    assert done.exit_code == 0, done.output
    assert [path.read_text() for path in tmp_path.rglob("backups/*")] == [RIGHT]
    assert run(monkeypatch, file, lambda _: WRONG, typed="n\n").exit_code == 1


def test_a_file_that_is_not_there_is_made_first(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.unlink()
    seen: list[str] = []

    def look(text: str) -> str:
        seen.append(text)
        return text

    assert run(monkeypatch, file, look).exit_code == 0
    assert seen == ['{\n  "$schema": "./config.schema.json",\n  "mcpServers": {}\n}\n']
    assert (file.parent / "config.schema.json").exists()


def test_an_editor_that_fails_is_told_and_what_it_wrote_is_not_lost(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def editor(*, filename: str) -> None:
        Path(filename).write_text(WRONG)
        raise click.ClickException("vi: Editing failed")

    monkeypatch.setattr(click, "edit", editor)
    done = CliRunner().invoke(cli, ["edit", "--config", str(file)])
    assert isinstance(done.exception, BridgeError)
    assert str(done.exception) == (
        "The editor cannot be used: vi: Editing failed. Name another one in the variable VISUAL or EDITOR."
    )
    assert [path.read_text() for path in tmp_path.rglob("backups/*")] == [RIGHT]
