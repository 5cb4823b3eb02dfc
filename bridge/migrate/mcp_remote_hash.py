"""The names that mcp-remote gives what it keeps of a server: an MD5 digest of what it was told about the server.

| mcp-remote | the digest is of |
|---|---|
| 0.0.6 to 0.1.29 | the URL |
| 0.1.30 to 0.5 | the URL, `--resource`, and the headers as JSON, joined by `|`; what is missing is left out |
| 0.6, 0.7 | the same, with `--authorize-param` as JSON before the headers |
| 0.8 to 0.13 | the same, with `--client-metadata-url` at the end |
| 0.14, 0.15 | the same, with `--token-endpoint` at the end, which the bridge has no counterpart for |

The headers are hashed as they are written, before `${NAME}` is replaced. The port of its callback comes from the digest
too, unless one is given.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import msgspec

CALLBACK_PATH = "/oauth/callback"


class HashedServer(msgspec.Struct, frozen=True):
    """What mcp-remote was told about a server, as far as its digests depend on it."""

    url: str
    resource: str = ""
    authorize_params: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    client_metadata_url: str = ""

    def __repr__(self) -> str:
        """Without the headers, which may hold secrets."""
        return f"HashedServer({self.url!r})"


def newest_digest(server: HashedServer) -> str:
    """The digest of the newest versions."""
    return _digest(
        server.url,
        server.resource,
        _json(server.authorize_params),
        _json(server.headers),
        server.client_metadata_url,
    )


def digests(server: HashedServer) -> tuple[str, ...]:
    """The digests of all versions, the newest first, each once."""
    url, resource, headers = server.url, server.resource, _json(server.headers)
    with_params = _digest(url, resource, _json(server.authorize_params), headers)
    known = (newest_digest(server), with_params, _digest(url, resource, headers), _digest(url))
    return tuple(dict.fromkeys(known))


def default_port(digest: str) -> int:
    """The port of the callback where none is given (0.1.18 and later; earlier versions began at 3334)."""
    return 3335 + int(digest[:4], 16) % 45816


def _digest(*parts: str) -> str:
    text = "|".join(part for part in parts if part)
    return hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def _json(members: Mapping[str, str]) -> str:
    """As `JSON.stringify` writes them with sorted names; empty for none."""
    if not members:
        return ""
    in_order = {name: members[name] for name in sorted(members, key=lambda name: name.encode("utf-16-be"))}
    return json.dumps(in_order, ensure_ascii=False, separators=(",", ":"))
