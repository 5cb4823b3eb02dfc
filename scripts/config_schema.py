"""Write `docs/config.schema.json`, the JSON Schema of the user's file of servers: `--write`; without it, compare.

It is made from the rows of `bridge/cli/option_table`, so a new option is in it when the script has been run. Editors
complete and check a file by it that names it in `$schema`. What a schema cannot say is left to
`mcp-remote-bridge config check`.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.environment import ROOT, SetupError, environment, run_script

if TYPE_CHECKING:
    from bridge.cli.option_table import OptionRow

PAGE = ROOT / "docs" / "config.schema.json"
COMMAND = "python3 scripts/config_schema.py --write"

_LARGEST_PORT = 65535
_NEEDED = "msgspec"
"""The package that the rows need; where it is missing, the script runs again in the environment of the tests."""


def schema() -> dict[str, Any]:
    """The whole schema."""
    from bridge.cli.server_values import ROWS

    members = {key: {"description": row.help, **_kind(row)} for key, row in ROWS.items()}
    url = {
        "description": "The URL of the remote server.",
        "type": "string",
        "pattern": r"^([A-Za-z][A-Za-z0-9+.-]*:/|.*\$\{)",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Servers of mcp-remote-bridge",
        "type": "object",
        "properties": {
            "$schema": {"type": "string"},
            "defaults": {
                "description": "Settings of all servers. A server's own come before them.",
                "type": "object",
                "properties": members,
                "additionalProperties": False,
            },
            "mcpServers": {
                "description": "The servers by name.",
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "properties": {"url": url, **members},
                    "required": ["url"],
                    "additionalProperties": False,
                },
                # No blank name, no option, no URL.
                "propertyNames": {"pattern": r"^(?!\s*$)(?!-)(?![A-Za-z][A-Za-z0-9+.-]*:/)"},
            },
        },
        "additionalProperties": False,
    }


def _kind(row: OptionRow) -> dict[str, Any]:
    """What the JSON value of an option may be."""
    from bridge.cli import option_table

    strings = [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
    by_name = {"type": "object", "additionalProperties": {"type": "string"}}
    kinds: dict[str, dict[str, Any]] = {
        option_table.TEXT: {"type": "string"},
        option_table.FILE: {"type": "string"},
        option_table.LINES: {"anyOf": [*strings, by_name] if row.key == "header" else strings},
        option_table.INTEGER: {"type": "integer", "minimum": 1, "maximum": _LARGEST_PORT},
        # A text of variables may become one of the choices.
        option_table.CHOICE: {"anyOf": [{"enum": list(row.choices)}, {"type": "string", "pattern": r"\$\{"}]},
        option_table.SECONDS: {"type": "number", "exclusiveMinimum": 0},
        option_table.SECONDS_OR_NEVER: {"type": "number", "minimum": 0},
        option_table.FLAG: {"type": "boolean"},
    }
    return kinds[row.kind]


def text() -> str:
    """The schema as the file has it."""
    return json.dumps(schema(), indent=2) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Write the file, or compare it; 1 where it is not what the code says."""
    if arguments not in ([], ["--write"]):
        raise SetupError("usage: python3 scripts/config_schema.py [--write]")
    if importlib.util.find_spec(_NEEDED) is None:
        python = environment("test", extras=["test"]).python
        return subprocess.run([str(python), __file__, *arguments], check=False).returncode
    if arguments:
        PAGE.write_text(text(), encoding="utf-8", newline="\n")
        print(f"{PAGE.relative_to(ROOT)}: written.")
        return 0
    if PAGE.read_text(encoding="utf-8") != text():
        raise SetupError(f"{PAGE.relative_to(ROOT)} is not what the code says. Run: {COMMAND}")
    print(f"{PAGE.relative_to(ROOT)} is what the code says.")
    return 0


if __name__ == "__main__":
    sys.exit(run_script(main))
