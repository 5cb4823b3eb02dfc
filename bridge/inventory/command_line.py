"""Finds the bridge in a command line, of a host's configuration or of a running process.

| words | the bridge's arguments |
|---|---|
| `/home/me/.local/bin/mcp-remote-bridge https://...` | `https://...` |
| `python -P -m bridge run https://...` | `https://...` |
| `uvx mcp-remote-bridge@1.2 https://...`, `cmd /c mcp-remote-bridge https://...` | `https://...`; of a process: none |
| `mcp-remote-bridge NAME`, `mcp-remote-bridge run NAME` | `NAME`, a server in the user's file |
| `mcp-remote-bridge login https://...` | none, because it does not bridge |
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from bridge import PROGRAM

MODULE = ("-m", "bridge")

COMMANDS = frozenset(
    (
        *("add", "bundle", "callback", "client-metadata", "completion", "config", "edit", "help", "hosts"),
        *("install", "list", "login", "login-process", "logout", "migrate", "remove", "run", "secret", "show"),
        *("status", "tools", "uninstall", "version"),
    )
)
"""The first words that are no server's name. A server with such a name is run with the word `run` before it."""

_FIRST_WORDS = 10
_ENDING = re.compile(r"\.(exe|cmd|bat|pyw?)$", re.IGNORECASE)
_VERSION = re.compile(r"(\[[^\]]*\])?([@=~<>!].*)?$")
_WITH_VALUE = ("-X", "-W")  # Options of Python.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")


def is_url(word: str) -> bool:
    """Whether a word of a command line looks like a URL."""
    return _URL.match(word) is not None


def arguments_of(words: Sequence[str], *, is_process: bool) -> tuple[str, ...] | None:
    """The arguments with which these words run the bridge; None where they do something else.

    In a configuration, another program such as `uvx` may run it; the words of a process are those of the program
    itself.
    """
    program = _program(words[:_FIRST_WORDS])
    if program is None:
        return None
    if is_process and not _runs_itself(words, program):
        return None
    own = tuple(words[program + 1 :])
    if own[:1] == ("run",):
        return own[1:]
    return None if own and own[0] in COMMANDS else own


def _program(words: Sequence[str]) -> int | None:
    """The position of the word that names the bridge.

    Of several such words it is the last, because `uv --directory mcp-remote-bridge run mcp-remote-bridge` has two. A
    word after an option comes second, because it may be the option's value, as in `--client-id mcp-remote-bridge`.
    """
    found, behind_options = None, None
    for index, (before, word) in enumerate(pairwise(("", *words))):
        if (before, word) == MODULE or (_names_the_bridge(word) and not before.startswith("-")):
            found = index
        elif _names_the_bridge(word):
            behind_options = index
    return behind_options if found is None else found


def _names_the_bridge(word: str) -> bool:
    if word.startswith("-") or (is_url(word) and "\\" not in word):
        return False
    last = _ENDING.sub("", re.split(r"[/\\]", word)[-1])
    return _VERSION.sub("", last) == PROGRAM


def _runs_itself(words: Sequence[str], program: int) -> bool:
    """Whether the program is the process's first word, or the script or module that Python runs."""
    if program == 0:
        return True
    interpreter = _ENDING.sub("", re.split(r"[/\\]", words[0])[-1]).lower()
    between = pairwise(words[:program])
    return interpreter.startswith(("python", "pypy")) and all(
        word.startswith("-") or before in _WITH_VALUE for before, word in between
    )
