"""JSON-RPC 2.0 envelopes, read without decoding what they carry.

A message keeps the bytes it came in (`line`); `params`, `result` and `error` are views into them. So a 10 MB result is
checked once for validity and never becomes Python objects, and a number such as `1e400` stays as it came.

| JSON | result |
|---|---|
| an object with `method` and `id` | `Request` |
| an object with `method` | `Notification` |
| an object with `id` and one of `result`, `error` | `Response` |
| any other JSON | `NotAMessage` is raised |
| JSON that is nested too deeply (`nesting`), or anything that is not JSON | `NotJson` is raised |
"""

from __future__ import annotations

import codecs
from typing import Any, Literal, NoReturn

import msgspec
from msgspec import Raw

from bridge.protocol.nesting import is_too_deep
from bridge.protocol.surrogates import mended, replaced

RequestId = int | float | str | bytes
"""A request's id as a dictionary key; `bytes` for a number that no Python number can hold."""

Octets = bytes | bytearray
"""A message as it came. A large one is a bytearray, because it was read into one; it is never changed."""

_ABSENT = Raw()
_UTF8_SLICE = 1 << 16
_TOO_DEEP = "it is nested too deeply"


class NotJson(ValueError):
    """The bytes are not one JSON value in UTF-8."""


class NotAMessage(ValueError):
    """The JSON is not a JSON-RPC 2.0 message. `raw_id` is the id to answer it with, `null` where it has none."""

    def __init__(self, reason: str, raw_id: bytes = b"null") -> None:
        super().__init__(reason)
        self.raw_id = raw_id


class Request(msgspec.Struct, frozen=True, gc=False):
    """A request. `raw_id` is the id as it came."""

    line: Octets
    id: RequestId
    raw_id: bytes
    method: str
    params: Raw


class Notification(msgspec.Struct, frozen=True, gc=False):
    """A notification."""

    line: Octets
    method: str
    params: Raw


class Response(msgspec.Struct, frozen=True, gc=False):
    """A response. `id` is None for an error whose request is unknown (JSON-RPC 2.0, section 5).

    `is_error`: it has `error`, not `result`.
    """

    line: Octets
    id: RequestId | None
    result: Raw
    error: Raw
    is_error: bool


Message = Request | Notification | Response


class _Envelope(msgspec.Struct, gc=False):
    jsonrpc: Literal["2.0"]
    id: Raw = _ABSENT
    method: str | None = None
    params: Raw = _ABSENT
    result: Raw = _ABSENT
    error: Raw = _ABSENT


class _IdOnly(msgspec.Struct, gc=False):
    id: Raw = _ABSENT


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_id_only = msgspec.json.Decoder(_IdOnly).decode
_decode_id = msgspec.json.Decoder(int | float | str).decode
_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_array = msgspec.json.Decoder(list[Raw]).decode


def parse(line: Octets) -> Message:
    """Read one message; `line` holds no newline. Raises `NotJson` or `NotAMessage`."""
    if is_too_deep(line):
        raise NotJson(_TOO_DEEP)
    try:
        envelope = _decode_envelope(line)
    except msgspec.ValidationError:
        _refuse(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        envelope = _decode_tolerantly(line)
    except RecursionError:
        raise NotJson(_TOO_DEEP) from None
    if not line.isascii():
        _check_utf8(line)
    raw_id = bytes(envelope.id)
    if envelope.method is not None:
        if not raw_id:
            return Notification(line, envelope.method, envelope.params)
        return Request(line, request_id(raw_id), raw_id, envelope.method, envelope.params)
    is_error = _is_given(envelope.error)
    if raw_id and (len(envelope.result) > 0) != is_error:
        id_ = None if raw_id == b"null" else request_id(raw_id)
        return Response(line, id_, envelope.result, envelope.error, is_error)
    raise NotAMessage("it has no method, and not exactly one of result and error", _answerable(raw_id))


def read(line: Octets) -> Message | list[bytes]:
    """Read a line: a message, or the members of a batch. Raises as `parse`."""
    return batch_members(line) if is_batch(line) else parse(line)


def read_body(body: Octets) -> Message | list[bytes]:
    """Read a JSON text that came in a response, in one line or more. Raises as `parse`."""
    return read(single_line(body))


def is_batch(line: Octets) -> bool:
    """Whether the line, which does not begin with white space, is an array: a batch, or not a message."""
    return line[:1] == b"["


def batch_members(line: Octets) -> list[bytes]:
    """The members of a batch (MCP 2025-03-26, Base Protocol, Batching), each as its own line. Raises `NotJson`."""
    if is_too_deep(line):
        raise NotJson(_TOO_DEEP)
    try:
        return [bytes(member) for member in _decode_array(line)]
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Lone surrogates (see `_decode_tolerantly`): here the members have to be encoded again.
        return [_dumped(member) for member in _load_tolerantly(line)]
    except RecursionError:
        raise NotJson(_TOO_DEEP) from None


def single_line(body: Octets) -> Octets:
    """A JSON text, which may be pretty-printed, as one line.

    Between tokens a newline and a space are the same. In a string JSON forbids a raw newline; where a server sends one,
    it becomes a space, so that the host still gets the message.
    """
    if body[:3] == codecs.BOM_UTF8:
        body = body[3:]
    if b"\n" in body:
        body = body.replace(b"\n", b" ")
    if b"\r" in body:
        body = body.replace(b"\r", b" ")
    return body.strip() if body[:1].isspace() or body[-1:].isspace() else body


def request_id(raw_id: bytes) -> RequestId:
    """The key for an id. Raises `NotAMessage` where it is neither a string nor a number (JSON-RPC 2.0, section 4)."""
    try:
        id_: RequestId = _decode_id(raw_id)
        return id_
    except msgspec.ValidationError:
        if raw_id[:1] in b"-0123456789":
            return raw_id
    except (msgspec.DecodeError, UnicodeDecodeError):
        if raw_id[:1] == b'"':
            return raw_id
    raise NotAMessage("its id is neither a string nor a number")


def error_line(raw_id: bytes, code: int, message: str, data: dict[str, Any] | None = None) -> bytes:
    """An error response from the bridge itself (JSON-RPC 2.0, section 5.1)."""
    # The message may quote a method's name, which may have a lone surrogate.
    error: dict[str, Any] = {"code": code, "message": replaced(message)}
    if data is not None:
        error["data"] = data
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (raw_id, msgspec.json.encode(error))


def _refuse(line: Octets) -> NoReturn:
    """The JSON has the wrong shape: raise with its id, if it has one. msgspec stopped before the end of the text."""
    try:
        raw_id = bytes(_decode_id_only(line).id)
    except msgspec.ValidationError:
        raw_id = b""
        if not _is_json(line):
            raise NotJson("it is not JSON") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        value = _load_tolerantly(line)
        raw_id = _dumped(value["id"]) if isinstance(value, dict) and "id" in value else b""
    except RecursionError:
        raise NotJson(_TOO_DEEP) from None
    if not line.isascii():
        _check_utf8(line)
    raise NotAMessage("it is not a JSON-RPC 2.0 message", _answerable(raw_id))


def _is_given(error: Raw) -> bool:
    """Whether there is an error; some libraries send `"error": null` beside a result."""
    return len(error) > 0 and (len(error) != len(b"null") or bytes(error) != b"null")


def _is_json(line: Octets) -> bool:
    try:
        msgspec.json.decode(line, type=Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _answerable(raw_id: bytes) -> bytes:
    try:
        request_id(raw_id)
    except NotAMessage:
        return b"null"
    return raw_id


def _decode_tolerantly(line: Octets) -> _Envelope:
    r"""Use the standard library where msgspec fails: JSON allows an escaped lone surrogate, `"\ud83d"`.

    Servers that cut strings by UTF-16 units send them. Only the envelope is encoded again; `line` stays as it came.
    A value with a number that Python cannot hold comes from the text with replacement characters, to keep the number.
    """
    value = _load_tolerantly(line)
    if not isinstance(value, dict):
        raise NotAMessage("it is not an object")
    method = value.get("method")
    if value.get("jsonrpc") != "2.0" or not isinstance(method, str | None):
        raise NotAMessage("it is not a JSON-RPC 2.0 message")

    def raw(name: str) -> Raw:
        if name not in value:
            return _ABSENT
        try:
            return Raw(_dumped(value[name], allow_nan=False))
        except ValueError:
            return _decode_members(mended(line))[name]

    return _Envelope("2.0", raw("id"), method, raw("params"), raw("result"), raw("error"))


def _load_tolerantly(line: Octets) -> Any:
    if b"\\ud" not in line and b"\\uD" not in line:
        raise NotJson("it is not JSON")
    import json  # Only needed where msgspec fails.

    try:
        return json.loads(str(line, "utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise NotJson("it is not JSON") from None


def _dumped(value: object, *, allow_nan: bool = True) -> bytes:
    import json

    return json.dumps(value, allow_nan=allow_nan).encode()


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _check_utf8(line: Octets) -> None:
    """Raise `NotJson` unless the line is UTF-8 (MCP 2025-11-25, Transports); slice by slice, to bound the memory."""
    view = memoryview(line)
    start = 0
    try:
        while start < len(view):
            end = start + _UTF8_SLICE
            _, used = codecs.utf_8_decode(view[start:end], "strict", end >= len(view))
            start += used
    except UnicodeDecodeError:
        raise NotJson("it is not UTF-8") from None
