"""References to secrets: a value that says where the secret is, instead of the secret.

| the whole value | the secret is |
|---|---|
| `keyring:NAME` | what `secret set NAME` has stored |
| `env:NAME` | in the environment variable NAME |
| `file:PATH` | in the file PATH |
| `cmd:COMMAND` | the first line that COMMAND prints |

A reference may stand in the client's secret and in the value of a header. Only what the user writes is one: what a
variable in a header holds never is, so that no variable can make the bridge run a command.

The words of a command are split as the system does it, and no shell is involved:

| system | rules | source |
|---|---|---|
| Windows | those of its C runtime | Microsoft, *Parsing C command-line arguments* |
| others | those of POSIX shells, without expansions | Python, `shlex.split` |
"""

from __future__ import annotations

import re
from typing import Literal, cast, get_args

import msgspec

from bridge.errors import UsageError

Kind = Literal["keyring", "env", "file", "cmd"]

NAME_RULE = "The name of a secret has up to 64 letters, digits or ._- and begins with a letter or digit."

MOST_CHARACTERS = 16_000
"""The longest secret that is stored."""

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


class SecretReference(msgspec.Struct, frozen=True):
    """Where a secret is. `place` is what follows the colon: a name, a path or a command."""

    kind: Kind
    place: str

    @property
    def text(self) -> str:
        """The reference as the user writes it."""
        return f"{self.kind}:{self.place}"


class SecretUnavailable(UsageError):
    """A reference leads to no secret that can be used."""

    def __init__(self, reference: SecretReference, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reference = reference


def reference_in(text: str) -> SecretReference | None:
    """The reference that the whole of `text` is; None for any other text."""
    kind, colon, place = text.partition(":")
    return SecretReference(cast("Kind", kind), place.strip()) if colon and kind in get_args(Kind) else None


def is_secret_name(name: str) -> bool:
    """Whether a secret can have this name (`NAME_RULE`)."""
    return re.fullmatch(_NAME, name) is not None


def check_secret_name(name: str) -> str:
    """Return `name`. Raises `UsageError` where no secret can have it."""
    if not is_secret_name(name):
        # It is not shown, because it may be the secret itself.
        raise UsageError("This cannot be the name of a secret.", hint=NAME_RULE)
    return name


def check_secret_value(value: str) -> str:
    """Return `value` without blanks at both ends. Raises `UsageError`, never with it, for what cannot be a secret."""
    value = value.strip()
    if not value:
        raise UsageError("The secret is empty, so it was not stored.")
    if len(value) > MOST_CHARACTERS:
        raise UsageError(f"The secret is longer than {MOST_CHARACTERS} characters, so it was not stored.")
    if bad := re.search(r"[^\t\x20-\x7e]", value):
        code = f"U+{ord(bad[0]):04X}"
        raise UsageError(f"The secret has a character ({code}) that no header may have, so it was not stored.")
    return value


def at_beginning(source: str) -> str:
    """What a reference stands in, at the beginning of a sentence: `the header X`, or an option's name as it is."""
    return f"T{source[1:]}" if source.startswith("the ") else source


def check_reference(reference: SecretReference, source: str, platform: str) -> None:
    """Raise `SecretUnavailable` for a reference that can lead nowhere. `source` is what it stands in."""
    kind, place = reference.kind, reference.place
    if not place:
        words = {"keyring": "name", "env": "variable", "file": "path", "cmd": "command"}[kind]
        raise SecretUnavailable(reference, f"{at_beginning(source)} has {kind}: without a {words} after it.")
    if kind == "keyring" and not is_secret_name(place):
        raise SecretUnavailable(
            reference, f"{at_beginning(source)} has keyring: with what cannot be a name.", hint=NAME_RULE
        )
    if kind == "cmd":
        try:
            words_of = command_words(place, platform)
        except ValueError:
            words_of = []
        if not words_of or not words_of[0]:
            raise SecretUnavailable(
                reference,
                f"The command of {source} cannot be split into words.",
                hint="Check its quotation marks.",
            )


def command_words(command: str, platform: str) -> list[str]:
    """The program and its arguments, by the rules of `platform` (as `sys.platform`). Raises ValueError."""
    import shlex

    return _windows_words(command) if platform == "win32" else shlex.split(command)


def _windows_words(command: str) -> list[str]:
    """Split as Windows programs do.

    Backslashes count only before a quotation mark: 2n of them are n, and the mark begins or ends a quoted part; 2n + 1
    are n and the mark itself. Two marks in a quoted part are one mark. The program's name has no escapes.
    """
    found = re.match(r'[ \t]*(?:"([^"]*)"|([^ \t"]+))', command)
    if found is None:
        return []
    words = [found[1] if found[1] is not None else found[2]]
    word: str | None = None
    is_quoted = False
    for piece in re.finditer(r'(\\*)("+)|[ \t]+|[^ \t"\\]+|\\+', command[found.end() :]):
        slashes, marks = piece[1] or "", len(piece[2] or "")
        if not marks and piece[0].isspace() and not is_quoted:
            words += [] if word is None else [word]
            word = None
            continue
        word = (word or "") + (slashes[: len(slashes) // 2] if marks else piece[0])
        if len(slashes) % 2:
            word += '"'
            marks -= 1
        while marks:
            if is_quoted and marks > 1:
                word += '"'
                marks -= 2
            else:
                is_quoted = not is_quoted
                marks -= 1
    if is_quoted:
        raise ValueError("a quotation mark is not closed")
    return words if word is None else [*words, word]
