"""The command line: `mcp-remote-bridge URL` runs the bridge, and errors become one line and an exit code.

| exit code | when |
|---|---|
| 0 | the bridge ended as it should, or the command did what it is for |
| 1 | something failed that the user did not write |
| 2 | an option, a variable or a file named there cannot be used |
| 130 | interrupted before the bridge had started, or while a command waited |

Stdout belongs to the protocol: only what bridges nothing writes to it, such as `--help`, `--version` and `status`.

Most of a start is imports, so this module has none of its own: each is made when it is known to be needed.
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
    # Given explicitly: left to itself, click expands variables and wildcards in arguments on Windows.
    words = list(sys.argv[1:] if args is None else args)
    # Imports make much that stays and nothing to collect: looking through it takes a fifteenth of the start.
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
    from bridge.cli.plain import read_plain

    plain = read_plain(words, os.environ)
    if plain is None:
        from bridge.cli.program import run_program

        return run_program(words)
    from bridge.cli.running import run
    from bridge.cli.settings import settings_of

    settings = settings_of(plain.words, plain.options, os.environ, secret_in_arguments=plain.secret_in_arguments)
    return run(settings)


def _import_msgspec() -> None:
    """Import it without typing_extensions, which costs 2 ms.

    Where that package is installed, msgspec takes from it what the standard library has too from Python 3.11 on.
    """
    if "typing_extensions" in sys.modules:
        return
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]  # That is how an import is made to fail.
    try:
        import msgspec  # noqa: F401
    finally:
        del sys.modules["typing_extensions"]


def _complain(error: BridgeError) -> int:
    from bridge.cli.running import PROGRAM, write
    from bridge.process.redact import Redactor
    from bridge.protocol.sanitize import escaped

    write(f"{PROGRAM}: error: {escaped(Redactor()(str(error)))}\n")
    return error.exit_code


def _interrupted() -> int:
    from bridge.cli.running import write

    write(f"\n{PROGRAM}: interrupted\n")
    return 130
