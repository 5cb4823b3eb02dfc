"""The file of `--header-file`: one header a line, and how it is noticed that it has changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bridge.config.settings import HeaderText, parse_header
from bridge.errors import UsageError

FileVersion = tuple[int, ...]
"""What tells that a file was written or replaced; empty where there is no file."""


def version_of(path: Path) -> FileVersion:
    """The version of the file as it is now."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino


def read_header_file(path: Path, environ: Mapping[str, str]) -> tuple[HeaderText, ...]:
    """Read one header a line; blank lines and lines that begin with `#` are skipped.

    Raises `UsageError` with the file, the line's number and the reason, but never with the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"The header file {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"The header file {path} is not UTF-8 text.") from None
    headers = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            headers.append(parse_header(line.strip(), environ))
        except UsageError as error:
            raise UsageError(f"{path}, line {number}: {error.message}") from None
    return tuple(headers)
