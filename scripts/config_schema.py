"""Write what `docs` has of the schema of the user's file of servers: `--write`; without it, compare.

| what | made by |
|---|---|
| `docs/config.schema.json`, the JSON Schema | `bridge/cli/config_schema`, from the rows of `bridge/cli/option_table` |
| the table of settings in `docs/configuration.md` | this script, from the schema |

So a new option is in both when the script has been run.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.environment import ROOT, SetupError, environment, run_script

PAGE = ROOT / "docs" / "config.schema.json"
SETTINGS_PAGE = ROOT / "docs" / "configuration.md"
BEGIN, END = (
    "<!-- begin of what scripts/config_schema.py writes -->\n",
    "<!-- end of what scripts/config_schema.py writes -->\n",
)
COMMAND = "python3 scripts/config_schema.py --write"

_NEEDED = "msgspec"
"""The package that the rows need; where it is missing, the script runs again in the environment of the tests."""


def main(arguments: Sequence[str]) -> int:
    """Write the file, or compare it; 1 where it is not what the code says."""
    if arguments not in ([], ["--write"]):
        raise SetupError("usage: python3 scripts/config_schema.py [--write]")
    if importlib.util.find_spec(_NEEDED) is None:
        python = environment("test", extras=["test"]).python
        return subprocess.run([str(python), __file__, *arguments], check=False).returncode
    from bridge.cli.config_schema import schema_text

    for path, text in ((PAGE, schema_text()), (SETTINGS_PAGE, settings_page())):
        if arguments:
            path.write_text(text, encoding="utf-8", newline="\n")
            print(f"{path.relative_to(ROOT)}: written.")
        elif path.read_text(encoding="utf-8") != text:
            raise SetupError(f"{path.relative_to(ROOT)} is not what the code says. Run: {COMMAND}")
        else:
            print(f"{path.relative_to(ROOT)} is what the code says.")
    return 0


def settings_page() -> str:
    """The page on the file of servers, with the table of its settings as the schema has them."""
    from bridge.cli.config_schema import schema

    page = SETTINGS_PAGE.read_text(encoding="utf-8")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SetupError(f"{SETTINGS_PAGE.relative_to(ROOT)} has no place for the table of settings.")
    members = schema()["properties"]["mcpServers"]["additionalProperties"]["properties"]
    rows = "".join(
        f"| `{name}` | {_value(member)} | {_cell(member['description'])} |\n" for name, member in members.items()
    )
    return f"{before}{begin}| member | value | meaning |\n|---|---|---|\n{rows}{end}{after}"


def _value(member: Mapping[str, Any]) -> str:
    """What a value may be, in words."""
    if "anyOf" in member:
        found = (_value(one) for one in member["anyOf"] if "pattern" not in one)
        return " or ".join(dict.fromkeys(found))
    if "enum" in member:
        return ", ".join(f"`{choice}`" for choice in member["enum"])
    match member["type"]:
        case "boolean":
            return "`true` or `false`"
        case "array":
            return "an array of strings"
        case "object":
            return "an object of names and values"
        case "integer" | "number":
            return "a number"
        case _:
            return "a string"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "\\<")


if __name__ == "__main__":
    sys.exit(run_script(main))
