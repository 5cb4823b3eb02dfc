"""Reads what mcp-remote keeps of a sign-in. It changes nothing there.

| version of mcp-remote | folder below `~/.mcp-auth`, or `$MCP_REMOTE_CONFIG_DIR` |
|---|---|
| 0.0.6 to 0.0.16 | the folder itself |
| 0.0.17 to 0.3 | `mcp-remote-VERSION`, one for each version that was ever run |
| 0.4 and later | `mcp-remote-v1` |

In it are `DIGEST_tokens.json` and `DIGEST_client_info.json` (`mcp_remote_hash`). Where several versions have tokens,
those that were written last count. Most versions do not write when an access token expires, so it is taken for expired
if there is a refresh token. Otherwise the file's time and `expires_in` say when it expires.
"""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

CONFIG_FOLDER = ".mcp-auth"
CONFIG_VARIABLE = "MCP_REMOTE_CONFIG_DIR"

_VERSIONS = "mcp-remote-*"
_MOST_FOLDERS = 500
_MOST_BYTES = 1024 * 1024

Number = float | int | str | None
"""mcp-remote takes a number that a server wrote as a text."""


class _KeptTokens(msgspec.Struct, frozen=True):
    access_token: str
    refresh_token: str | None = None
    id_token: str | None = None
    scope: str | None = None
    requested_scope: str | None = None
    issuer: str | None = None
    expires_in: Number = None
    expires_at: Number = None


class _KeptClient(msgspec.Struct, frozen=True):
    client_id: str
    client_secret: str | None = None
    token_endpoint_auth_method: str | None = None
    redirect_uris: tuple[str, ...] = ()
    scope: str | None = None
    issuer: str | None = None
    client_secret_expires_at: Number = None


_T = TypeVar("_T", _KeptTokens, _KeptClient)


class OldRegistration(msgspec.Struct, frozen=True):
    """The client that mcp-remote registered. `secret_expires_at` is in Unix seconds."""

    client_id: str
    secret: str
    auth_method: str
    redirect_uri: str
    scope: str
    secret_expires_at: float | None

    def __repr__(self) -> str:
        """Without the secret."""
        return f"OldRegistration({self.client_id!r})"


class OldSignIn(msgspec.Struct, frozen=True):
    """A sign-in of mcp-remote's. Times are in Unix seconds.

    `expires_at` is when the access token expires, None where that is not known. `asked` and `scope` are the scopes
    that were requested and granted, `issuer` the authorization server; each is empty or None where it is not known.
    """

    path: Path
    access_token: str
    refresh_token: str
    id_token: str
    scope: str | None
    asked: str
    issuer: str
    written_at: float
    expires_at: float | None
    registration: OldRegistration | None

    def __repr__(self) -> str:
        """Without the tokens."""
        return f"OldSignIn({str(self.path)!r})"

    def secrets(self) -> tuple[str, ...]:
        """Every secret in it."""
        client = self.registration.secret if self.registration else ""
        return tuple(filter(None, (self.access_token, self.refresh_token, self.id_token, client)))


def config_folder(environ: Mapping[str, str], home: Path) -> Path:
    """The folder in which mcp-remote keeps what it knows, for an entry with these variables."""
    return Path(environ.get(CONFIG_VARIABLE) or home / CONFIG_FOLDER)


def find_sign_in(folder: Path, digests: Iterable[str]) -> OldSignIn | None:
    """The newest sign-in with one of these digests; None if there is none that can be read."""
    digests = tuple(digests)
    found = [sign_in for own in _folders(folder) for digest in digests if (sign_in := _read(own, digest))]
    return max(found, key=lambda one: one.written_at, default=None)


def _folders(folder: Path) -> list[Path]:
    try:
        return [folder, *sorted(folder.glob(_VERSIONS))[:_MOST_FOLDERS]]
    except OSError:
        return [folder]


def _read(folder: Path, digest: str) -> OldSignIn | None:
    path = folder / f"{digest}_tokens.json"
    content, written_at = _content(path)
    tokens = _decoded(content, _KeptTokens)
    if tokens is None or not _usable(tokens.access_token, tokens.refresh_token, tokens.id_token):
        return None
    info = _decoded(_content(folder / f"{digest}_client_info.json")[0], _KeptClient)
    lifetime, ends_at = _number(tokens.expires_in), _number(tokens.expires_at)
    expires_at = ends_at / 1000 if ends_at is not None else None if lifetime is None else written_at + lifetime
    return OldSignIn(
        path=path,
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token or "",
        id_token=tokens.id_token or "",
        scope=tokens.scope,
        asked=tokens.requested_scope or "",
        issuer=tokens.issuer or (info.issuer if info else "") or "",
        written_at=written_at,
        expires_at=expires_at,
        registration=_registration(info),
    )


def _registration(info: _KeptClient | None) -> OldRegistration | None:
    if info is None or not info.client_id or not _usable(info.client_id, info.client_secret):
        return None
    return OldRegistration(
        client_id=info.client_id,
        secret=info.client_secret or "",
        auth_method=info.token_endpoint_auth_method or "",
        redirect_uri=info.redirect_uris[0] if info.redirect_uris else "",
        scope=info.scope or "",
        secret_expires_at=_number(info.client_secret_expires_at) or None,  # 0 means never (RFC 7591 3.2.1).
    )


def _content(path: Path) -> tuple[bytes, float]:
    """The content of a file and when it was written; empty for what is no file, or too large to be one of these."""
    with contextlib.suppress(OSError):
        found = path.stat()
        if stat.S_ISREG(found.st_mode) and found.st_size <= _MOST_BYTES:
            with path.open("rb") as file:
                return file.read(_MOST_BYTES), found.st_mtime
    return b"", 0.0


def _decoded(content: bytes, kind: type[_T]) -> _T | None:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _usable(*texts: str | None) -> bool:
    """Whether texts can be sent in a header or a form as they are."""
    return all(text is None or (text.isascii() and text.isprintable()) for text in texts)


def _number(value: Number) -> float | None:
    """A number of seconds or milliseconds; None for what is none."""
    try:
        number = float(value) if value is not None else None
    except ValueError:
        return None
    return number if number is not None and 0 <= number < 1e15 else None
