"""Write `docs/config.schema.json`, the JSON Schema of the user's file of servers: `--write`; without it, compare.

`bridge/cli/config_schema` makes it from the rows of `bridge/cli/option_table`, so a new option is in it when the script
has been run.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.environment import ROOT, SetupError, environment, run_script

PAGE = ROOT / "docs" / "config.schema.json"
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

    text = schema_text()
    if arguments:
        PAGE.write_text(text, encoding="utf-8", newline="\n")
        print(f"{PAGE.relative_to(ROOT)}: written.")
        return 0
    if PAGE.read_text(encoding="utf-8") != text:
        raise SetupError(f"{PAGE.relative_to(ROOT)} is not what the code says. Run: {COMMAND}")
    print(f"{PAGE.relative_to(ROOT)} is what the code says.")
    return 0


if __name__ == "__main__":
    sys.exit(run_script(main))
