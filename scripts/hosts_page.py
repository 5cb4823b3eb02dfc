"""Write `docs/hosts.md` from the table of hosts: `python3 scripts/hosts_page.py --write`; without it, print it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.environment import ROOT, SetupError, environment, run_script

if TYPE_CHECKING:
    from bridge.inventory.host_table import HostRow

PAGE = ROOT / "docs" / "hosts.md"
COMMAND = "python3 scripts/hosts_page.py --write"

HEAD = f"""\
# Hosts

One command puts a server into a host's configuration:

```sh
mcp-remote-bridge install claude-desktop https://mcp.example.com/mcp
mcp-remote-bridge install cursor github          # a server in your own file, by its name
mcp-remote-bridge install --all https://mcp.example.com/mcp
mcp-remote-bridge hosts                          # what is on this machine, and which servers it has
mcp-remote-bridge uninstall claude-desktop example
```

`install` tries the server first, offers to sign in, shows the change, asks, and keeps the former content of the file
in the folder `backups` beside your file of servers. What else is in the file stays as it is, with its comments. The
command in the entry is an absolute path. A `--client-secret` and the values of `--header` are stored in the system's
keyring; the entry says `keyring:NAME`.

| option | what it does |
|---|---|
| `--dry-run` | shows the change and writes nothing |
| `--yes` | does not ask before writing |
| `--replace` | replaces another entry of that name |
| `--name NAME` | the name of the entry; by default from the server's URL |
| `--project` | writes the file of the project in the working folder |
| `--link` | prints a link that adds the server (Cursor, VS Code, LM Studio) and writes no file |
| `--no-try`, `--untested` | does not try the server; writes the entry even if the server does not work now |

All options of a run ([options.md](options.md)) may follow; they go into the entry. `uninstall` leaves a file that
was not changed since as it was before, byte for byte.

A path below is written as a shell takes it: `${{NAME:-default}}` is the variable NAME, or the default without it; `*`
stands for any text; of `{{a,b}}` the first counts that exists.

Made from the table in `bridge/inventory/host_table.py` by `{COMMAND}`; a test compares it with the table.
"""

_NEEDED = "msgspec"
"""The package that the rows need; where it is missing, the script runs again in the environment of the tests."""

SYSTEMS = {"linux": "Linux", "darwin": "macOS", "win32": "Windows"}


def main(arguments: Sequence[str]) -> int:
    """Print or write the page; returns 0."""
    if arguments not in ([], ["--write"]):
        raise SetupError("usage: python3 scripts/hosts_page.py [--write]")
    if importlib.util.find_spec(_NEEDED) is None:
        python = environment("test", extras=["test"]).python
        return subprocess.run([str(python), __file__, *arguments], check=False).returncode
    if arguments:
        PAGE.write_text(page(), encoding="utf-8", newline="\n")
        print(f"{PAGE.relative_to(ROOT)}: written.")
    else:
        sys.stdout.write(page())
    return 0


def page() -> str:
    """The page in Markdown."""
    from bridge.inventory.host_table import HOSTS

    names = "".join(f"| [{row.name}](#{_anchor(row.name)}) | `{row.key}` |\n" for row in HOSTS)
    return f"{HEAD}\n| host | on the command line |\n|---|---|\n{names}\n" + "\n".join(map(_section, HOSTS))


def _section(row: HostRow) -> str:
    from bridge.inventory.entry_shapes import Launch

    launch = Launch("/home/me/.local/bin/mcp-remote-bridge", ("https://mcp.example.com/mcp",))
    entry = row.shape.entry_of("example", launch)
    facts = [*_files(row)]
    if row.project:
        facts.append(("project", f"`{row.project}`"))
    facts += [
        ("table", " → ".join(f"`{member}`" for member in row.table)),
        ("entry", f"`{json.dumps(entry)}`"),
        ("then", row.restart_sentence),
    ]
    if row.note:
        facts.append(("note", row.note))
    facts.append(("source", row.source))
    lines = "".join(f"| {name} | {text} |\n" for name, text in facts)
    return f"## {row.name}\n\n`mcp-remote-bridge install {row.key} URL`\n\n| | |\n|---|---|\n{lines}"


def _files(row: HostRow) -> list[tuple[str, str]]:
    texts = {system: "<br>".join(f"`{path}`" for path in paths) for system, paths in row.files.items()}
    if len(set(texts.values())) == 1:
        return [("file", texts["linux"])]
    return [(SYSTEMS[system], text) for system, text in texts.items()]


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")


if __name__ == "__main__":
    sys.exit(run_script(main))
