"""Runs the command of `--header-command` and reads the headers that it prints.

A text for the shell is read by `/bin/sh`, on Windows by `cmd.exe`, as programs everywhere do it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping

from bridge.config.header_command import (
    OPTION,
    HeaderCommand,
    NotHeaders,
    PrintedHeaders,
    printed_headers,
    secrets_in,
)
from bridge.errors import BridgeError
from bridge.process.child_command import CommandFailed, output_of_child, program_name, program_path

SECONDS = 30.0
"""How long the command may take: some wait until the user has unlocked a vault."""
LIMIT = 64 * 1024
"""The most bytes that it may print."""


class HeaderCommandFailed(BridgeError):
    """The command of `--header-command` gave no headers."""


def headers_of(
    command: HeaderCommand,
    environ: Mapping[str, str],
    *,
    redact: Callable[[str], str] = str,
    is_stopped: Callable[[], bool] = lambda: False,
    seconds: float = SECONDS,
) -> PrintedHeaders:
    """The headers that the command prints, run with the variables `environ`. Raises `HeaderCommandFailed`.

    It blocks. `redact` masks the secrets that are known already. Once `is_stopped` says yes, the command ends.
    """
    try:
        printed = output_of_child(
            _arguments(command, environ),
            environ,
            seconds=seconds,
            limit=LIMIT,
            secrets_in=secrets_in,
            redact=redact,
            is_stopped=is_stopped,
        )
        return printed_headers(printed)
    except (CommandFailed, NotHeaders) as failed:
        raise _failure(command, failed.what, failed.hint) from None


def check_program(command: HeaderCommand, environ: Mapping[str, str]) -> None:
    """Raise `HeaderCommandFailed` where the program of the command is not there."""
    try:
        _arguments(command, environ)
    except CommandFailed as failed:
        raise _failure(command, failed.what, failed.hint) from None


def _arguments(command: HeaderCommand, environ: Mapping[str, str]) -> list[str] | str:
    if command.words:
        return [program_path(command.words[0], environ), *command.words[1:]]
    if sys.platform == "win32":
        system = os.environ.get("SYSTEMROOT", r"C:\Windows")
        # As `subprocess` does it for a shell: cmd.exe reads what is between the outer quotation marks as it is.
        return rf'"{system}\System32\cmd.exe" /d /s /c "{command.shell}"'
    return ["/bin/sh", "-c", command.shell]


def _failure(command: HeaderCommand, what: str, hint: str) -> HeaderCommandFailed:
    name = program_name(command.program)
    return HeaderCommandFailed(f"The command of {OPTION} ({name}) {what}.", hint=hint)
