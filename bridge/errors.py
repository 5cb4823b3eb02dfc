"""The one error tree: what went wrong, in words for a person and codes for a program.

An error holds no secret. Its `message` is one sentence that a host can show; `hint` says what to do next.

| type | at fault | JSON-RPC code | exit code |
|---|---|---|---|
| `UsageError` | the command line, the environment, a file named there | -32000 | 2 |
| `RemoteError` | the remote server, or the way to it | -32000 | 1 |
"""

from __future__ import annotations

import sys

SERVER_ERROR = -32000
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603


class BridgeError(Exception):
    """Anything the bridge itself reports. `str()` of it is the message with the hint."""

    exit_code = 1
    code = SERVER_ERROR

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """The message, then the hint, as one line."""
        return f"{self.message} {self.hint}" if self.hint else self.message


class UsageError(BridgeError):
    """What the user gave cannot be used: an option, a variable, a file."""

    exit_code = 2


class RemoteError(BridgeError):
    """The remote server, or the way to it, failed. `kind` is a kebab-case word for programs."""

    def __init__(self, kind: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.kind = kind


_DISTRIBUTIONS = {"jsonc": "json-with-comments"}
"""Packages whose name on an index is not the name they are imported by."""


def missing_package(module: str | None) -> str:
    """What to tell the user when `module` cannot be found; empty where it is a module of the bridge itself."""
    name = (module or "").partition(".")[0]
    if name in ("", "bridge") or name in sys.stdlib_module_names:
        return ""
    package = _DISTRIBUTIONS.get(name, name)
    return (
        f"The Python package {package} is not installed for {sys.executable}. "
        "Install the bridge together with the packages it needs: run `pipx install .` in its folder, "
        "then start it as mcp-remote-bridge."
    )
