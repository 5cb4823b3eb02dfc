"""What of a message its HTTP headers say again (MCP 2026-07-28, Streamable HTTP, Request Metadata).

| header | says | where |
|---|---|---|
| `MCP-Protocol-Version` | `_meta`'s protocol version | every message |
| `Mcp-Method` | `method` | every message |
| `Mcp-Name` | `params.name`, `params.uri` or `params.taskId` | the methods of `mcp.HEADED_METHODS` |

`Mcp-Param-{Name}` is the subject of `translate/tool_headers`. Names are written in lower case, as HTTP/2 demands and
HTTP/1.1 does not mind; a server compares them without regard to case.
"""

from __future__ import annotations

import base64
import re

import msgspec
from msgspec import Raw

from bridge.protocol import mcp
from bridge.protocol.surrogates import mended, replaced

Headers = tuple[tuple[bytes, bytes], ...]
"""Names in lower case and values, in the order in which they are sent."""

# What a header can hold as it is (RFC 9110, section 5.5).
_PLAIN = r"[!-~](?:[ -~]*[!-~])?"
_WRAPPING = ("=?base64?", "?=")


class _NameTarget(msgspec.Struct, gc=False):
    """What `Mcp-Name` may have to say, of any type; nothing else of the params is looked at."""

    name: Raw = Raw()
    uri: Raw = Raw()
    task_id: Raw = msgspec.field(name="taskId", default=Raw())

    def under(self, key: str) -> Raw:
        """The member of this name."""
        return self.task_id if key == "taskId" else self.uri if key == "uri" else self.name


_decode_target = msgspec.json.Decoder(_NameTarget).decode
_decode_string = msgspec.json.Decoder(str).decode


def request_headers(version: str, method: str, params: Raw) -> Headers | None:
    """The standard headers of a request or notification, or None where its version or method fits no header.

    These two have no encoding to fall back on (Server Validation). A message whose params lack the name goes without
    `Mcp-Name`: its server says better what is wrong with it.
    """
    if not (re.fullmatch(_PLAIN, version) and re.fullmatch(_PLAIN, method)):
        return None
    headers = ((mcp.PROTOCOL_VERSION, version.encode()), (mcp.METHOD, method.encode()))
    key = mcp.HEADED_METHODS.get(method)
    if key is None:
        return headers
    name = string(_target(params).under(key))
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
    if re.fullmatch(_PLAIN, text) and not (text.startswith(before) and text.endswith(after)):
        return text.encode()
    return b"%b%b%b" % (before.encode(), base64.b64encode(replaced(text).encode()), after.encode())


def string(value: Raw) -> str | None:
    """A JSON string's text, or None where it is another value, or none at all."""
    try:
        return _decode_string(value)
    except msgspec.ValidationError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        return _decode_string(mended(value))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _target(params: Raw) -> _NameTarget:
    try:
        return _decode_target(params)
    except msgspec.ValidationError:
        return _NameTarget()  # They are no object.
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return _decode_target(mended(params))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _NameTarget()
