"""What a host's message says of the host: its name, and the `_meta` that only modern clients send.

A legacy client names itself in the params of `initialize`; a modern one in the `_meta` of each request, beside the
revision that it speaks (MCP 2026-07-28, Base Protocol, Per-request protocol fields).
"""

from __future__ import annotations

from functools import partial

import msgspec
from msgspec import Raw

from bridge.protocol.jsonrpc import Request
from bridge.protocol.mcp import DISCOVER, INITIALIZE, LISTEN, META_CLIENT, META_VERSION
from bridge.protocol.messages import decoded
from bridge.protocol.surrogates import mended


class _ClientInfo(msgspec.Struct, frozen=True, gc=False):
    title: str | None = None
    name: str = ""


class _InitializeParams(msgspec.Struct, frozen=True, gc=False):
    client: _ClientInfo | None = msgspec.field(name="clientInfo", default=None)


class _RequestMeta(msgspec.Struct, frozen=True, gc=False):
    version: Raw = msgspec.field(name=META_VERSION, default=Raw())


class _ClientMeta(msgspec.Struct, frozen=True, gc=False):
    client: _ClientInfo | None = msgspec.field(name=META_CLIENT, default=None)


class _StateAndMeta(msgspec.Struct, frozen=True, gc=False):
    state: Raw = msgspec.field(name="requestState", default=Raw())
    meta: Raw = msgspec.field(name="_meta", default=Raw())


_decode_state_and_meta = msgspec.json.Decoder(_StateAndMeta).decode
_decode_request_meta = msgspec.json.Decoder(_RequestMeta).decode
# A host names itself rarely, and a decoder costs time at the start.
_decode_initialize_params = partial(msgspec.json.decode, type=_InitializeParams)
_decode_client_meta = partial(msgspec.json.decode, type=_ClientMeta)
_NEITHER = _StateAndMeta()
_META_VERSION = META_VERSION.encode()


def client_name(params: Raw) -> str:
    """What the host calls itself in the params of `initialize`; empty where it does not say."""
    return _display_name(_initialize_client(params))


def client_program(params: Raw) -> str:
    """The `name` of `clientInfo` in the params of `initialize`, by which a program knows the host; or empty."""
    client = _initialize_client(params)
    return client.name if client else ""


def meta_client_name(params: Raw) -> str:
    """What a modern host calls itself in the `_meta` of a request; empty where it does not say."""
    return _display_name(_meta_client(params))


def meta_client_program(params: Raw) -> str:
    """The `name` of `clientInfo` in the `_meta` of a request; or empty."""
    client = _meta_client(params)
    return client.name if client else ""


def asking_program(method: str, params: Raw) -> str:
    """The `clientInfo.name` in a request itself: in `initialize`, or in any request of a modern host; else empty."""
    return client_program(params) if method == INITIALIZE else meta_client_program(params)


def meta_version(params: Raw) -> str | None:
    """The revision that the `_meta` of a request names; None where it names none."""
    version = _version(params)
    try:
        return msgspec.json.decode(version, type=str) if len(version) else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def has_request_meta(params: Raw) -> bool:
    """Whether the `_meta` of a request has a revision, valid or not, as only requests of modern clients do."""
    return len(_version(params)) > 0


def is_modern(request: Request) -> bool:
    """Whether a request names a modern revision, or has a method that older revisions lack."""
    return modern_version(request) is not None


def modern_version(request: Request) -> str | None:
    """The revision that a modern request names, empty if it cannot be read; None for a legacy request."""
    if _META_VERSION in request.line:
        version = meta_version(request.params)
        if version is not None:
            return version
        if has_request_meta(request.params):
            return ""
    return "" if request.method in {DISCOVER, LISTEN} else None


def state_and_meta(params: Raw) -> tuple[Raw, Raw]:
    """The `requestState` and the `_meta` of a request, empty where it has none."""
    try:
        found = _decode_state_and_meta(params) if len(params) else _NEITHER
    except (msgspec.ValidationError, RecursionError):
        found = _NEITHER
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = _decode_mended(params)
    return found.state, found.meta


def _decode_mended(params: Raw) -> _StateAndMeta:
    try:
        return _decode_state_and_meta(mended(params))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _NEITHER


def _version(params: Raw) -> Raw:
    _, meta = state_and_meta(params)
    try:
        return _decode_request_meta(meta).version if len(meta) else Raw()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Raw()


def _initialize_client(params: Raw) -> _ClientInfo | None:
    said = decoded(_decode_initialize_params, params)
    return said.client if said else None


def _meta_client(params: Raw) -> _ClientInfo | None:
    _, meta = state_and_meta(params)
    said = decoded(_decode_client_meta, meta)
    return said.client if said else None


def _display_name(client: _ClientInfo | None) -> str:
    return (client.title or client.name) if client else ""
