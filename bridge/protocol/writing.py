"""Messages of the bridge's own making. What they carry comes as JSON bytes and is not read."""

from __future__ import annotations

from typing import cast

import msgspec
from msgspec import Raw

from bridge.protocol import mcp
from bridge.protocol.jsonrpc import Notification, Octets, Request, Response, request_id
from bridge.protocol.surrogates import mended, replaced

Members = dict[str, Raw]
Json = Octets | Raw
"""A JSON value, written."""

_decode_members = msgspec.json.Decoder(Members).decode


def request(raw_id: bytes, method: str, params: Json = b"") -> Request:
    """A request; `raw_id` is the id as JSON. Without `params` it has none."""
    line = _joined(b'{"jsonrpc":"2.0","id":', raw_id, b',"method":', _name(method), *_params(params))
    return Request(line, request_id(raw_id), raw_id, method, Raw(params))


def notification(method: str, params: Json = b"") -> Notification:
    """A notification."""
    line = _joined(b'{"jsonrpc":"2.0","method":', _name(method), *_params(params))
    return Notification(line, method, Raw(params))


def result(raw_id: bytes, value: Json) -> Response:
    """A good answer."""
    line = _joined(b'{"jsonrpc":"2.0","id":', raw_id, b',"result":', value, b"}")
    return Response(line, request_id(raw_id), Raw(value), Raw())


def error(raw_id: bytes, value: Json) -> Response:
    """A bad answer; `value` is JSON-RPC's error object."""
    line = _joined(b'{"jsonrpc":"2.0","id":', raw_id, b',"error":', value, b"}")
    return Response(line, request_id(raw_id), Raw(), Raw(value))


def answering(response: Response, raw_id: bytes) -> Response:
    """The same answer to another request."""
    return error(raw_id, response.error) if response.is_error else result(raw_id, response.result)


def cancellation(raw_id: bytes, reason: Json = b"") -> Notification:
    """`notifications/cancelled` for a request (MCP, Cancellation); `reason` is a JSON string, empty without one."""
    said = (b',"reason":', reason) if len(reason) else ()
    return notification(mcp.CANCELLED, _joined(b'{"requestId":', raw_id, *said, b"}"))


def listen_ended(raw_id: bytes) -> Response:
    """The answer to `subscriptions/listen` that says that it ended well (MCP 2026-07-28, Graceful Closure)."""
    return result(raw_id, b'{"resultType":"complete","_meta":{"%b":%b}}' % (mcp.META_SUBSCRIPTION.encode(), raw_id))


def members(value: Json) -> Members:
    """The members of an object, each as JSON; empty where it is no object, or none at all.

    Where there are lone surrogates in it, replacement characters stand for them (see `surrogates`).
    """
    if not len(value):
        return {}
    try:
        return _decode_members(value)
    except msgspec.ValidationError:
        return {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _mended_members(value)


def _mended_members(value: Json) -> Members:
    try:
        return _decode_members(mended(value))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _name(method: str) -> bytes:
    return msgspec.json.encode(method if method.isascii() else replaced(method))


def _params(params: Json) -> tuple[Json, ...]:
    return (b',"params":', params, b"}") if len(params) else (b"}",)


def _joined(*parts: Json) -> bytes:
    """Each part is copied once; a template would copy a `Raw` octet by octet."""
    return b"".join(cast("tuple[bytes, ...]", parts))
