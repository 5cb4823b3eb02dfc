"""Runs the command of a `cmd:COMMAND` and returns the secret that it prints: its first line.

The words are split as the system does it, without a shell (`config/secret_reference`); `child_command` runs them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from bridge.config.secret_reference import SecretReference, SecretUnavailable, command_words
from bridge.process.child_command import CommandFailed, output_of_child, program_name, program_path

SECONDS = 30.0
"""How long a command may take: some wait until the user has unlocked a vault."""
LIMIT = 64 * 1024
"""The most bytes that a command may print."""


def output_of(reference: SecretReference, source: str, environ: Mapping[str, str], seconds: float = SECONDS) -> str:
    """The first line that the command of `reference` prints, run with the variables `environ`.

    `source` is what the reference stands in. Raises `SecretUnavailable`; its message has no word of the command but
    the program's name, because arguments may be secret.
    """
    program, *arguments = program_of(reference, source, environ)
    try:
        printed = output_of_child([program, *arguments], environ, seconds=seconds, limit=LIMIT, secrets_in=_lines)
    except CommandFailed as failed:
        raise _unavailable(reference, source, program, failed) from None
    line = printed.decode("utf-8", "replace").lstrip("\ufeff").partition("\n")[0].strip()
    if not line:
        what = "printed nothing" if not printed.strip() else "printed an empty first line"
        raise _unavailable(reference, source, program, CommandFailed(what))
    return line


def program_of(reference: SecretReference, source: str, environ: Mapping[str, str]) -> list[str]:
    """The words of the command, the program as a whole path. Raises `SecretUnavailable` where it is not there."""
    words = command_words(reference.place, sys.platform)
    try:
        return [program_path(words[0], environ), *words[1:]]
    except CommandFailed as failed:
        raise _unavailable(reference, source, words[0], failed) from None


def _lines(printed: str) -> list[str]:
    return [line.strip() for line in printed.splitlines()]


def _unavailable(reference: SecretReference, source: str, program: str, failed: CommandFailed) -> SecretUnavailable:
    name, what = program_name(program), failed.what
    return SecretUnavailable(reference, f"The command of {source} ({name}) {what}.", hint=failed.hint)
