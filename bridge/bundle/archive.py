"""Writes a bundle: a zip archive that is the same, byte for byte, for the same files.

Its entries are sorted, and their times, rights and system are fixed.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

from bridge.errors import UsageError
from bridge.protocol.sanitize import problem_text

_TIME = (1980, 1, 1, 0, 0, 0)  # The earliest that a zip archive can say.
_UNIX = 3
_RIGHTS = 0o100644 << 16
_LEVEL = 6


def archive(files: Mapping[str, bytes]) -> bytes:
    """The archive of these files, by their paths in it with `/`."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as writer:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system, entry.external_attr = _UNIX, _RIGHTS
            entry.compress_type = zipfile.ZIP_DEFLATED
            writer.writestr(entry, files[name], compresslevel=_LEVEL)
    return made.getvalue()


def write_archive(path: Path, content: bytes) -> None:
    """Write the file, or replace it as a whole. Raises `UsageError`."""
    draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    try:
        try:
            draft.write_bytes(content)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            f"The bundle {path} cannot be written: {problem_text(error)}.", hint="Name another file with -o."
        ) from None
