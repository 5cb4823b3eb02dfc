"""The command line: `mcp-remote-bridge URL` runs the bridge, and errors become one line and an exit code.

| exit code | when |
|---|---|
| 0 | the bridge ended in order, or the command succeeded |
| 1 | something other than the command line failed |
| 2 | an option, a variable, or a file named by one, cannot be used |
| 130 | interrupted before the bridge had started, or while a command waited |

Stdout belongs to the protocol. Only what does not bridge writes to it, such as `--help`, `--version` and `status`.

Most of the time of a start goes to imports, so each function here imports what it needs itself.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from bridge import PROGRAM
from bridge.errors import BridgeError


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line `args`, by default the process's own, and exit."""
    # Passed explicitly, because click would otherwise expand variables and wildcards in them on Windows.
    words = list(sys.argv[1:] if args is None else args)
    # Imports create many objects that stay, and no garbage: collecting takes a fifteenth of the start.
    gc.disable()
    try:
        code = _carry_out(words)
    except BridgeError as error:
        code = _complain(error)
    except KeyboardInterrupt:
        code = _interrupted()
    except Exception as error:
        from bridge.cli.running import defect

        code = _complain(defect(error, None))
    finally:
        gc.enable()
    sys.exit(code)


def _carry_out(words: Sequence[str]) -> int:
    _import_msgspec()
    from bridge.cli.option_table import COMPLETION_VARIABLE
    from bridge.cli.plain import plain_settings

    # A shell that asks click to complete a word passes none here.
    settings = None if COMPLETION_VARIABLE in os.environ else plain_settings(words, os.environ)
    if settings is None:
        from bridge.cli.program import run_program

        return run_program(words)
    from bridge.cli.running import run

    return run(settings)


def _import_msgspec() -> None:
    """Import msgspec without typing_extensions, which would cost 2 ms.

    Where that package is installed, msgspec imports names from it that the standard library of Python 3.11 has too.
    """
    if "typing_extensions" in sys.modules:
        return
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]  # This makes its import fail.
    try:
        import msgspec  # noqa: F401
    finally:
        del sys.modules["typing_extensions"]


def _complain(error: BridgeError) -> int:
    from bridge.cli.running import write
    from bridge.process.redact import Redactor
    from bridge.protocol.sanitize import escaped

    write(f"{PROGRAM}: error: {escaped(Redactor()(str(error)))}\n")
    return error.exit_code


def _interrupted() -> int:
    from bridge.cli.running import write

    write(f"\n{PROGRAM}: interrupted\n")
    return 130
