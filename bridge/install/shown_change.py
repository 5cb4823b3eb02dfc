"""A change of a host's file as the user may see it: without the secrets of other entries that stand beside it."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.documents.replacing import FileChange
from bridge.inventory.entry_shapes import secret_members
from bridge.process.redact import Redactor
from bridge.protocol.sanitize import escaped

HIDDEN = "(hidden)"
_SHORTEST = 4


def shown_diff(change: FileChange, content: object) -> str:
    """The difference as lines. `content` is the file's present content; the variables and headers in it are hidden."""
    hide = Redactor()
    values = sorted(set(_secrets(content)), key=len, reverse=True)

    def mask(line: str) -> str:
        for value in values:
            line = line.replace(value, HIDDEN)
        return hide(line)

    return "\n".join(escaped(line.expandtabs(4)) for line in change.diff(mask).splitlines())


def _secrets(value: object, *, is_inside: bool = False) -> Iterator[str]:
    """The texts below members that hold variables or headers."""
    if isinstance(value, str):
        if is_inside and len(value) >= _SHORTEST:
            yield value
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from _secrets(member, is_inside=is_inside or key in secret_members())
    elif isinstance(value, list):
        for member in value:
            yield from _secrets(member, is_inside=is_inside)
