"""A legacy server's own requests, as `inputRequests` for a modern host (MCP 2026-07-28, Multi Round-Trip Requests).

| request | the host must have declared | its params |
|---|---|---|
| `roots/list` | `roots` | none |
| `elicitation/create` in form mode | `elicitation`, empty or with `form` | without `task`, `_meta` |
| `elicitation/create` in URL mode | `elicitation.url` | without those and `elicitationId` |
| `sampling/createMessage` | `sampling`, and `sampling.tools` to use tools | without `task`, `_meta` |
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from bridge.errors import INVALID_PARAMS, METHOD_NOT_FOUND
from bridge.protocol import mcp
from bridge.protocol.jsonrpc import Request
from bridge.protocol.writing import Json, Members, members
from bridge.translate import request_meta

_REMOVED = ("task", "_meta", "elicitationId")
_URL = Raw(b'"url"')


class InputRequest(msgspec.Struct, eq=False):
    """One of `inputRequests`: `entry` under `key`. `request` is the server's own; None where an error asked.

    `is_withdrawn`: the server has cancelled it.
    """

    key: str
    entry: Raw
    request: Request | None
    is_withdrawn: bool = False

    @property
    def is_elicitation(self) -> bool:
        """Whether the user is asked, and may cancel."""
        return self.request is not None and self.request.method == mcp.ELICITATION


class NotAskable(Exception):
    """The host cannot be asked this. `code` and the message are sent to the server."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def from_request(request: Request, key: str, declared: Members) -> InputRequest:
    """A server's request as one of `inputRequests`. `declared` are the host's capabilities. Raises `NotAskable`."""
    params = members(request.params)
    missing = _missing_capability(request.method, params, declared)
    if missing is None:
        raise NotAskable(METHOD_NOT_FOUND, "This host does not support this request.")
    if missing:
        raise NotAskable(METHOD_NOT_FOUND, f"This host did not declare the capability {missing}.")
    if request.method == mcp.ROOTS_LIST:
        return InputRequest(key, Raw(b'{"method":"roots/list"}'), request)
    if not request_meta.is_object(request.params):
        raise NotAskable(INVALID_PARAMS, f"{request.method} requires params that are an object.")
    written = request.params if members(request.params) else b""
    return InputRequest(key, _entry(request.method, params, written), request)


def from_url(url: Members, key: str) -> InputRequest:
    """The question to open a URL, from an error that requires it."""
    return InputRequest(key, _entry(mcp.ELICITATION, {**url, "mode": _URL}, b""), None)


def can_open_urls(declared: Members) -> bool:
    """Whether the host can be asked to open a URL."""
    return not _missing_capability(mcp.ELICITATION, {"mode": _URL}, declared)


def input_required(asked: list[InputRequest], state: str) -> bytes:
    """The result that asks the host (MCP 2026-07-28, InputRequiredResult)."""
    requests = {one.key: one.entry for one in asked}
    return msgspec.json.encode({"resultType": "input_required", "inputRequests": requests, "requestState": state})


def _entry(method: str, params: Members, written: Json) -> Raw:
    if not len(written) or any(name in params for name in _REMOVED):
        written = msgspec.json.encode({name: value for name, value in params.items() if name not in _REMOVED})
    return Raw(msgspec.json.encode({"method": method, "params": Raw(written)}))


def _missing_capability(method: str, params: Members, declared: Members) -> str | None:
    """The capability that the host should have declared; empty if it did, None if no capability has this request."""
    if method == mcp.ROOTS_LIST:
        return "" if "roots" in declared else "roots"
    if method == mcp.SAMPLING:
        if "tools" in params or "toolChoice" in params:
            return "" if "tools" in members(declared.get("sampling", Raw())) else "sampling.tools"
        return "" if "sampling" in declared else "sampling"
    if method == mcp.ELICITATION:
        elicitation = members(declared.get("elicitation", Raw()))
        if bytes(params.get("mode", Raw())) == bytes(_URL):
            return "" if "url" in elicitation else "elicitation.url"
        return "" if "elicitation" in declared and (not elicitation or "form" in elicitation) else "elicitation.form"
    return None
