"""What tests of the user's file of servers share: writing one, and reading a command line by both ways."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bridge.cli import running
from bridge.cli.plain import plain_settings
from bridge.cli.program import run_program
from bridge.config import Settings
from bridge.errors import BridgeError

Outcome = tuple[Settings, tuple[str, ...]] | str


def write_file(folder: Path, servers: Mapping[str, Any], defaults: Mapping[str, Any] | None = None) -> Path:
    """A file of servers, `config.json` in `folder`."""
    path = folder / "config.json"
    content = {"mcpServers": servers} | ({} if defaults is None else {"defaults": defaults})
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def without_click(words: Sequence[str], environ: Mapping[str, str]) -> Outcome | None:
    """The settings, or the error; None where click is to read the words."""
    with patch.dict(os.environ, environ, clear=True):
        try:
            made = plain_settings(words, environ)
        except BridgeError as error:
            return f"{error.exit_code} {error}"
        return None if made is None else (made, made.notes)


def with_click(words: Sequence[str], environ: Mapping[str, str]) -> Outcome:
    """The settings, or the error."""
    seen: list[Settings] = []

    def run(settings: Settings) -> int:
        seen.append(settings)
        return 0

    with patch.dict(os.environ, environ, clear=True), patch.object(running, "run", run):
        try:
            run_program(words)
        except SystemExit:
            pass
        except BridgeError as error:
            return f"{error.exit_code} {error}"
    return (seen[0], seen[0].notes) if seen else "another command"
