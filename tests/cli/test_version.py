"""What `version` and `--version` print."""

import json
import platform

import pytest

from bridge import __version__
from bridge.cli.main import main


@pytest.mark.parametrize("words", [("version",), ("--version",)])
def test_the_first_line_has_the_version_alone(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    out, err = capsys.readouterr()
    first, python, *more = out.splitlines()
    assert (ended.value.code, err) == (0, "")
    assert first == f"mcp-remote-bridge {__version__}"
    assert python.startswith(f"Python {platform.python_version()} (")
    assert platform.platform() in more
    assert "msgspec" in out


@pytest.mark.parametrize("words", [("version", "--json"), ("--version", "--json")])
def test_programs_get_json(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(words)
    found = json.loads(capsys.readouterr().out)
    assert found["version"] == __version__
    assert found["libraries"]["click"]
    assert [*found] == ["version", "python", "executable", "system", "libraries"]
