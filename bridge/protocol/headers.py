"""What of a message its HTTP headers say again (MCP 2026-07-28, Streamable HTTP, Request Metadata).

| header | says | where |
|---|---|---|
| `MCP-Protocol-Version` | `_meta`'s protocol version | every message |
| `Mcp-Method` | `method` | every message |
| `Mcp-Name` | `params.name` or `params.uri` | the methods of `mcp.NAMED_METHODS` |

`Mcp-Param-{Name}` is the subject of `era/tool_headers`. Names are written in lower case, as HTTP/2 demands and HTTP/1.1
does not mind; a server compares them without regard to case.
"""

from __future__ import annotations

import base64

import msgspec
from msgspec import Raw

from bridge.protocol import mcp
from bridge.protocol.surrogates import mended, replaced
from bridge.protocol.writing import members

Headers = tuple[tuple[bytes, bytes], ...]
"""Names in lower case and values, in the order in which they are sent."""

_WRAPPING = ("=?base64?", "?=")

_decode_string = msgspec.json.Decoder(str).decode


def request_headers(version: str, method: str, params: Raw) -> Headers | None:
    """The standard headers of a request or notification, or None where its version or method fits no header.

    These two have no encoding to fall back on (Server Validation). A message whose params lack the name goes without
    `Mcp-Name`: its server says better what is wrong with it.
    """
    if not (_is_plain(version) and _is_plain(method)):
        return None
    headers = ((mcp.PROTOCOL_VERSION, version.encode()), (mcp.METHOD, method.encode()))
    key = mcp.NAMED_METHODS.get(method)
    if key is None:
        return headers
    name = string((members(params) or members(mended(params))).get(key, Raw()))
    return headers if name is None else (*headers, (mcp.NAME, header_value(name)))


def header_value(text: str) -> bytes:
    """A text as the value of `Mcp-Name` or `Mcp-Param-{Name}` (Value Encoding); any text can be one.

    | text | value |
    |---|---|
    | visible ASCII, with spaces only inside | as it is |
    | the same, in the shape of an encoded value | encoded |
    | anything else | encoded |

    Encoding is always allowed, so what is doubtful is encoded too. The empty text: some intermediaries drop empty
    headers. A tab inside: the standard calls it safe, but the public conformance suite does not, and recipients may
    turn it into a space. A lone surrogate has no UTF-8; U+FFFD stands for it, as a server that reads it at all does.
    """
    before, after = _WRAPPING
    if _is_plain(text) and not (text.startswith(before) and text.endswith(after)):
        return text.encode()
    return b"%b%b%b" % (before.encode(), base64.b64encode(replaced(text).encode()), after.encode())


def string(value: Raw) -> str | None:
    """A JSON string's text, or None where it is another value, or none at all."""
    if bytes(memoryview(value)[:1]) != b'"':
        return None
    try:
        return _decode_string(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        return _decode_string(mended(value))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _is_plain(text: str) -> bool:
    """Whether a header can hold the text as it is (RFC 9110, section 5.5)."""
    return text.isascii() and text.isprintable() and text != "" and text[0] != " " != text[-1]
