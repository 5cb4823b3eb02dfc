"""Starts a run whose settings are known, and reports unexpected exceptions of a run or a command."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bridge.errors import BridgeError, missing_package

if TYPE_CHECKING:
    # It imports a package, and this module has to report it where that package is missing.
    from bridge.config import Settings

LEVEL_VARIABLE = "MCP_BRIDGE_LOG_LEVEL"

_LAST_SECONDS = 1.0


def run(settings: Settings) -> int:
    """Bridge until the host is done; return the exit code. Raises `BridgeError`."""
    try:
        # The loop and the HTTP client take long to import, and --help and usage errors do without them.
        from bridge.app.start import run_bridge

        return run_bridge(settings)
    except BridgeError:
        raise
    except Exception as error:
        raise defect(error, settings) from error


def defect(error: Exception, settings: Settings | None) -> BridgeError:
    """The error to report for an unexpected exception. At log level debug, its traceback is written too."""
    if isinstance(error, ModuleNotFoundError) and (said := missing_package(error.name)):
        return BridgeError(said)
    # Its text may hold a secret, so it is shown at debug only, and through the redactor.
    if (settings.log_level if settings else os.environ.get(LEVEL_VARIABLE)) == "debug":
        import traceback

        from bridge.process.redact import Redactor

        redactor = Redactor()
        if settings:
            redactor.add_headers(settings.headers)
            redactor.add(settings.sign_in.client_secret)
        write(redactor("".join(traceback.format_exception(error))))
    return BridgeError(
        f"Stopped by an unexpected {type(error).__name__}, a bug in the bridge.",
        hint=f"To see where, run it again with {'--log-level debug' if settings else f'{LEVEL_VARIABLE}=debug'}.",
    )


def write(text: str) -> None:
    """Write to stderr, if there is one, and wait at most a second for the reader."""
    from bridge.process.log_stderr import StderrLines

    lines = StderrLines()
    lines.write(text, is_kept=True)
    lines.close(_LAST_SECONDS)
