"""The command line: `mcp-remote-bridge URL` runs the bridge, and errors become one line and an exit code.

| exit code | when |
|---|---|
| 0 | the bridge ended as it should, or the command did what it is for |
| 1 | something failed that the user did not write |
| 2 | an option, a variable or a file named there cannot be used |
| 130 | interrupted before the bridge had started, or while a command waited |

Stdout belongs to the protocol: only what bridges nothing writes to it, such as `--help`, `--version` and `status`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from bridge.cli import running
from bridge.cli.plain import read_plain
from bridge.cli.settings import PROGRAM, settings_of
from bridge.errors import BridgeError


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line `args`, by default the process's own, and exit."""
    # Given explicitly: left to itself, click expands variables and wildcards in arguments on Windows.
    words = list(sys.argv[1:] if args is None else args)
    try:
        code = _carry_out(words)
    except BridgeError as error:
        _complain(str(error))
        code = error.exit_code
    except KeyboardInterrupt:
        running.write(f"\n{PROGRAM}: interrupted\n")
        code = 130
    except Exception as error:
        _complain(str(running.defect(error, None)))
        code = 1
    sys.exit(code)


def _carry_out(words: Sequence[str]) -> int:
    plain = read_plain(words, os.environ)
    if plain is None:
        from bridge.cli.program import run_program

        return run_program(words)
    given, options, in_arguments = plain
    return running.run(settings_of(given, options, os.environ, secret_in_arguments=in_arguments))


def _complain(text: str) -> None:
    from bridge.app.log import one_line
    from bridge.app.redact import Redactor

    running.write(f"{PROGRAM}: error: {one_line(Redactor()(text))}\n")
