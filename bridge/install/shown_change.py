"""A change of a host's file as the user may see it: without the secrets of other entries that stand beside it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from bridge.config.secret_reference import reference_in
from bridge.documents.replacing import FileChange
from bridge.inventory.entry_shapes import secret_members
from bridge.process.redact import Redactor, is_secret_name
from bridge.protocol.sanitize import escaped

HIDDEN = "(hidden)"
_SHORTEST = 4


def shown_diff(change: FileChange, content: object) -> str:
    """The difference as lines. `content` is the file's present content; the secrets in it are hidden."""
    hide = Redactor()
    values = sorted(set(_secrets(content)), key=len, reverse=True)

    def mask(line: str) -> str:
        for value in values:
            line = line.replace(value, HIDDEN)
        return hide(line)

    return "\n".join(escaped(line.expandtabs(4)) for line in change.diff(mask).splitlines())


def _secrets(value: object, *, is_inside: bool = False) -> Iterator[str]:
    """The texts below members that hold variables or headers, and the words that a program gets as its secrets."""
    if isinstance(value, str):
        if is_inside:
            yield from _if_long(value)
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from _secrets(member, is_inside=is_inside or key in secret_members())
    elif isinstance(value, list):
        for member in value:
            yield from _secrets(member, is_inside=is_inside)
        for before, word in pairwise(("", *(word for word in value if isinstance(word, str)))):
            yield from _secret_words(before, word)


def _secret_words(before: str, word: str) -> Iterator[str]:
    """What is secret in one argument: `--token=X`, X after `--token`, `Authorization: X`."""
    flag, _, value = word.partition("=")
    if flag.startswith("-") and is_secret_name(flag):
        yield from _if_long(value)
    if before.startswith("-") and "=" not in before and is_secret_name(before) and not word.startswith("-"):
        yield from _if_long(word)
    name, _, value = word.partition(":")
    if is_secret_name(name) and not value.startswith("//") and reference_in(value.strip()) is None:
        yield from _if_long(value.strip())


def _if_long(text: str) -> Iterator[str]:
    if len(text) >= _SHORTEST:
        yield text
