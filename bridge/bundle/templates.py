"""The texts of a bundle that are files of their own here (`*.txt`), with `$name` where a value belongs."""

from __future__ import annotations

import string
from pathlib import Path

_FOLDER = Path(__file__).parent


def filled(template: str, **values: str) -> bytes:
    """The text of this template with its values, as UTF-8."""
    text = (_FOLDER / f"{template}.txt").read_text(encoding="utf-8")
    return string.Template(text).substitute(values).encode()
