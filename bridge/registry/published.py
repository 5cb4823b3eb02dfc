"""Where a `server.json` is: a file, an https URL, or a name in a registry. This is the one part of the room with IO.

| text | is |
|---|---|
| `io.github.owner/server`, `com.example/server@1.2.3` | a name in the registry, of the latest or of that version |
| `https://example.com/server.json` | a URL, where its path ends with `.json` |
| `server.json`, `./any.json` | a file |

No redirect is followed: the user named the place that is trusted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

from bridge.config import Settings
from bridge.errors import BridgeError, UsageError
from bridge.protocol import sanitize
from bridge.registry.server_json import PublishedServer, read_server

OFFICIAL_REGISTRY = "https://registry.modelcontextprotocol.io"
REGISTRY_VARIABLE = "MCP_BRIDGE_REGISTRY"

_LARGEST = 512 * 1024
_NAME = re.compile(r"(?P<name>[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+/[A-Za-z0-9._-]+)(?:@(?P<version>[A-Za-z0-9.+_-]+))?")
_URL = re.compile(r"https?://", re.IGNORECASE)


def is_registry_name(text: str) -> bool:
    """Whether a text has the form of a server's name in a registry. `example.com/mcp` without its scheme has it too."""
    return _NAME.fullmatch(text) is not None and not text.lower().endswith(".json")


def is_server_json(text: str) -> bool:
    """Whether a text names a `server.json`: a URL or a file whose name ends with `.json`."""
    path = urlsplit(text).path if _URL.match(text) else text
    return path.lower().endswith(".json")


def is_published(text: str) -> bool:
    """Whether a text names a server by a `server.json`, in a registry or elsewhere."""
    return is_registry_name(text) or is_server_json(text)


def registry_url(option: str | None, environ: Mapping[str, str]) -> str:
    """The registry's address: of the option, else of the variable, else the official one."""
    return (option or "").strip() or environ.get(REGISTRY_VARIABLE, "").strip() or OFFICIAL_REGISTRY


async def published_server(text: str, registry: str, ca_file: Path | None = None) -> PublishedServer:
    """Read the `server.json` that a text names. Raises `BridgeError`.

    `registry` is the registry's URL, and `ca_file` has certificate authorities to trust besides.
    """
    if is_registry_name(text) and (found := _NAME.fullmatch(text)):
        return await _from_registry(found["name"], found["version"] or "latest", registry.rstrip("/"), ca_file)
    if _URL.match(text):
        return read_server(await _fetched(text, "server.json", ca_file), sanitize.address(text))
    return read_server(_read(Path(text)), text)


async def _from_registry(name: str, version: str, registry: str, ca_file: Path | None) -> PublishedServer:
    url = f"{registry}/v0.1/servers/{quote(name, safe='')}/versions/{quote(version, safe='')}"
    try:
        body = await _fetched(url, "registry", ca_file)
    except NotFound:
        raise BridgeError(
            f"The registry {sanitize.address(registry)} has no server {name} (version {version}).",
            hint=f"If that is an address, write https://{name}. If another registry has it, give --registry URL.",
        ) from None
    server = read_server(body, name)
    if server.name != name:
        raise BridgeError(
            f"The registry {sanitize.address(registry)} was asked for {name}, and answered with {server.name}.",
            hint="Check the address of the registry.",
        )
    return server


class NotFound(BridgeError):
    """There is no such document (404)."""


async def _fetched(url: str, what: str, ca_file: Path | None) -> bytes:
    from bridge.tokens.sign_in_setup import open_http

    settings = Settings(url=url, ca_file=ca_file)
    answer = await open_http(settings).get(url, what, {})
    place = sanitize.address(url)
    if answer.status == 404:
        raise NotFound(f"There is nothing at {place} (404).", hint="Check the address.")
    if answer.location and 300 <= answer.status < 400:
        raise BridgeError(
            f"{place} redirects to {sanitize.address(answer.location)}, which the bridge does not follow.",
            hint="Give that address, if you trust it.",
        )
    if answer.status != 200:
        raise BridgeError(
            f"The {what} at {place} answered {answer.status}.", hint="Try again later, or use the server's URL instead."
        )
    return answer.body


def _read(path: Path) -> bytes:
    try:
        with path.expanduser().open("rb") as file:
            body = file.read(_LARGEST + 1)
    except (OSError, RuntimeError) as problem:
        raise UsageError(f"The file {path} cannot be read: {sanitize.problem_text(problem)}.") from None
    if len(body) > _LARGEST:
        raise UsageError(f"The file {path} has more than {_LARGEST // 1024} kB: it is no server.json.")
    return body.removeprefix(b"\xef\xbb\xbf")
