"""Makes messages. What they carry is given as JSON and is not decoded."""

from __future__ import annotations

from typing import cast

import msgspec
from msgspec import Raw

from bridge.protocol import mcp
from bridge.protocol.jsonrpc import Notification, Octets, Request, Response, request_id
from bridge.protocol.surrogates import mended, replaced

Members = dict[str, Raw]
Json = Octets | Raw
"""An encoded JSON value."""

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
    """A response with a result."""
    line = _joined(b'{"jsonrpc":"2.0","id":', raw_id, b',"result":', value, b"}")
    return Response(line, request_id(raw_id), Raw(value), Raw(), is_error=False)


def error(raw_id: bytes, value: Json) -> Response:
    """A response with an error; `value` is the error object."""
    line = _joined(b'{"jsonrpc":"2.0","id":', raw_id, b',"error":', value, b"}")
    return Response(line, request_id(raw_id), Raw(), Raw(value), is_error=True)


def answering(response: Response, raw_id: bytes) -> Response:
    """The same response to another request."""
    return error(raw_id, response.error) if response.is_error else result(raw_id, response.result)


def cancellation(raw_id: bytes, reason: Json = b"") -> Notification:
    """`notifications/cancelled` for a request (MCP, Cancellation). `reason` is a JSON string; empty for none."""
    said = (b',"reason":', reason) if len(reason) else ()
    return notification(mcp.CANCELLED, _joined(b'{"requestId":', raw_id, *said, b"}"))


def listen_ended(raw_id: bytes) -> Response:
    """The response that ends `subscriptions/listen` gracefully (MCP 2026-07-28, Graceful Closure)."""
    return result(raw_id, b'{"resultType":"complete","_meta":{"%b":%b}}' % (mcp.META_SUBSCRIPTION.encode(), raw_id))


def members(value: Json) -> Members:
    """The members of an object, each as JSON; empty for another value, or none.

    Lone surrogates become replacement characters (see `surrogates`).
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
    """Join the parts. Each is copied once; a template would copy a `Raw` byte by byte."""
    return b"".join(cast("tuple[bytes, ...]", parts))
