"""Messages of the bridge's own making. What they carry comes as JSON bytes and is not read."""

from __future__ import annotations

from typing import cast

import msgspec
from msgspec import Raw

from bridge.protocol.jsonrpc import Notification, Octets, Request, Response, request_id

Members = dict[str, Raw]
Json = Octets | Raw
"""A JSON value, written."""

_decode_members = msgspec.json.Decoder(Members).decode


def request(raw_id: bytes, method: str, params: Json = b"") -> Request:
    """A request; `raw_id` is the id as JSON. Without `params` it has none."""
    body = b',"params":%b' % _octets(params) if len(params) else b""
    line = b'{"jsonrpc":"2.0","id":%b,"method":%b%b}' % (raw_id, msgspec.json.encode(method), body)
    return Request(line, request_id(raw_id), raw_id, method, Raw(params))


def notification(method: str, params: Json = b"") -> Notification:
    """A notification."""
    body = b',"params":%b' % _octets(params) if len(params) else b""
    return Notification(b'{"jsonrpc":"2.0","method":%b%b}' % (msgspec.json.encode(method), body), method, Raw(params))


def result(raw_id: bytes, value: Json) -> Response:
    """A good answer."""
    line = b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (raw_id, _octets(value))
    return Response(line, request_id(raw_id), Raw(value), Raw())


def error(raw_id: bytes, value: Json) -> Response:
    """A bad answer; `value` is JSON-RPC's error object."""
    line = b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (raw_id, _octets(value))
    return Response(line, request_id(raw_id), Raw(), Raw(value))


def answering(response: Response, raw_id: bytes) -> Response:
    """The same answer to another request."""
    return error(raw_id, response.error) if response.is_error else result(raw_id, response.result)


def members(value: Json) -> Members:
    """The members of an object, each as JSON; empty where it is no object, or none at all."""
    try:
        return _decode_members(value) if len(value) else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _octets(value: Json) -> bytes:
    """What can stand in a template; it is not copied before."""
    return cast("bytes", value)
