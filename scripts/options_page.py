"""Write `docs/options.md`, all options, variables, commands and exit codes: `--write`; without it, compare.

The page is made from the tables of options and commands (`bridge/cli/option_table`, `command_table`), from click's
commands, and from the table of exit codes at the head of `bridge/cli/main.py`. What help has no room for is in `_MORE`.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.environment import ROOT, SetupError, environment, run_script

if TYPE_CHECKING:
    import click

    from bridge.cli.command_table import CommandRow

PAGE = ROOT / "docs" / "options.md"
COMMAND = "python3 scripts/options_page.py --write"

_NEEDED = "click"
"""The package that the commands need; where it is missing, the script runs again in the environment of the tests."""

_HEAD = f"""\
# Options and commands

```sh
mcp-remote-bridge [OPTIONS] URL      # what a host starts; NAME in place of URL: a server in your own file
mcp-remote-bridge COMMAND ...        # for you, in a terminal
```

Each option is also an environment variable, and a setting in your [file of servers](configuration.md):
`--connect-timeout` is `MCP_BRIDGE_CONNECT_TIMEOUT` and `connect_timeout`. The command line comes first, then the
variable, then the file. An empty option or variable counts as not given. The bridge warns about variables that begin
with `MCP_BRIDGE_` and have no effect.

Made by `{COMMAND}`; a test compares it with the code.
"""

_MORE = {
    "--header": "Some hosts on Windows split arguments at spaces: write `Authorization:${AUTH}` without one.",
    "--ca-file": "Without it, those of the system are trusted, or those in `SSL_CERT_FILE`.",
    "--no-cache": "Servers of MCP 2026-07-28 say which answers may be stored, and for how long.",
    "--log-file": "It has to be a regular file of yours, not a link.",
}
"""What the help has no room for."""

_VARIABLES = {
    "`MCP_BRIDGE_URL`": "The URL, where the command line has none.",
    "`MCP_BRIDGE_PATIENCE`": (
        "Try an unreachable server again for so many seconds before the host gets an error. Default: 30."
    ),
    "`MCP_BRIDGE_TAB_PAUSE`": (
        "Let so many seconds pass before another tab may open by itself after a sign-in that was refused or not"
        " finished. Default: 60, doubled each time, up to an hour. 0: no pause."
    ),
    "`MCP_BRIDGE_REGISTRY`": (
        "The registry in which names such as `io.github.owner/server` are looked up. Default: the official one."
    ),
    "`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`": (
        "The proxy (http, https, socks5, socks5h), and what is reached without it. If none is set, the settings of"
        " Windows and macOS apply; `NO_PROXY=*`: no proxy. Proxy scripts (PAC) are not run."
    ),
    "`NO_COLOR`": "If it is set, no output is coloured. Colours are for terminals only.",
}
"""Variables that no option has."""


def text() -> str:
    """The page."""
    from bridge.cli.command_table import COMMAND_ROWS

    parts = [_HEAD, *_options()]
    parts += _table("Variables without an option", "variable", _VARIABLES.items())
    parts += _table("Exit codes", "code", exit_codes(), "when")
    parts.append("\n## Commands\n")
    group = ""
    for row in COMMAND_ROWS:
        if row.group != group:
            group = row.group
            parts.append(f"\n### {group}\n")
        parts += _command(row)
    return "".join(parts)


def exit_codes() -> list[tuple[str, str]]:
    """Each exit code, and when it comes, as `bridge/cli/main.py` says."""
    head = ast.get_docstring(ast.parse((ROOT / "bridge" / "cli" / "main.py").read_text("utf-8"))) or ""
    rows = [line.strip("|").split("|") for line in head.splitlines() if line.startswith("| ")]
    return [(code.strip(), when.strip()) for code, when in rows[1:]]


def _options() -> Iterator[str]:
    from bridge.cli.option_table import OPTIONS

    group = ""
    yield "\n## Options of a run\n"
    for row in OPTIONS:
        if row.group != group:
            group = row.group
            yield f"\n### {group}\n\n| option | meaning |\n|---|---|\n"
        form = " ".join(filter(None, (row.name, "|".join(row.choices) or row.metavar)))
        yield f"| {_code(form)} | {' '.join(filter(None, (_cell(row.help), _MORE.get(row.name))))} |\n"


def _table(heading: str, what: str, rows: Iterable[tuple[str, str]], says: str = "meaning") -> Iterator[str]:
    yield f"\n## {heading}\n\n| {what} | {says} |\n|---|---|\n"
    yield from (f"| {name} | {meaning} |\n" for name, meaning in rows)


def _command(row: CommandRow) -> Iterator[str]:
    from bridge import PROGRAM
    from bridge.cli.program import cli

    top = cli.context_class(cli, info_name=PROGRAM, **cli.context_settings)
    command = cli.get_command(top, row.name)
    if command is None:
        raise SetupError(f"There is no command {row.name}.")
    context = command.context_class(command, info_name=row.name, parent=top)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"\n#### {row.name}\n\n`{PROGRAM} {row.name} {usage}`\n"
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        yield f"\n{_prose(paragraph)}\n"
    yield "\n```sh\n" + "".join(f"{PROGRAM} {words}\n" for words in row.examples) + "```\n"
    yield from _options_of(context)


def _options_of(context: click.Context) -> Iterator[str]:
    """The command's own options with their help, and the names of those that a run has too."""
    import click

    from bridge.cli.option_table import OPTIONS

    if context.info_name == "run":
        return
    options = [param for param in context.command.params if isinstance(param, click.Option)]
    shared = {row.name for row in OPTIONS}
    own = [option for option in options if option.opts[0] not in shared]
    if own:
        yield "\n| option | meaning |\n|---|---|\n"
    for option in own:
        record = option.get_help_record(context)
        if record is not None:
            yield f"| {_code(record[0])} | {_cell(record[1])} |\n"
    names = [f"`{option.opts[0]}`" for option in options if option.opts[0] in shared]
    if len(names) == len(shared):
        yield "\nIt takes all options of a run.\n"
    elif names:
        yield f"\nOf the options of a run it takes {', '.join(names)}.\n"


def _code(words: str) -> str:
    return "`" + words.replace("|", "\\|") + "`"


def _cell(words: str) -> str:
    return _prose(words).replace("|", "\\|")


def _prose(words: str) -> str:
    return " ".join(words.split()).replace("<", "\\<")


def main(arguments: Sequence[str]) -> int:
    """Write the file, or compare it; 1 where it is not what the code says."""
    if arguments not in ([], ["--write"]):
        raise SetupError("usage: python3 scripts/options_page.py [--write]")
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
