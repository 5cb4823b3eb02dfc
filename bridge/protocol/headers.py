"""The HTTP headers that repeat parts of a message (MCP 2026-07-28, Streamable HTTP, Request Metadata).

| header | value | in |
|---|---|---|
| `MCP-Protocol-Version` | `_meta`'s protocol version | every message |
| `Mcp-Method` | `method` | every message |
| `Mcp-Name` | `params.name`, `params.uri` or `params.taskId` | the methods of `mcp.HEADED_METHODS` |

`Mcp-Param-{Name}` is the subject of `translate/tool_headers`. Names are in lower case, which HTTP/2 requires and
HTTP/1.1 allows; a server compares them without regard to case.
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
    """The possible values of `Mcp-Name`, of any type; nothing else of the params is decoded."""

    name: Raw = Raw()
    uri: Raw = Raw()
    task_id: Raw = msgspec.field(name="taskId", default=Raw())

    def under(self, key: str) -> Raw:
        """The member of this name."""
        return self.task_id if key == "taskId" else self.uri if key == "uri" else self.name


_decode_target = msgspec.json.Decoder(_NameTarget).decode
_decode_string = msgspec.json.Decoder(str).decode


def request_headers(version: str, method: str, params: Raw) -> Headers | None:
    """The standard headers of a request or notification; None where a header cannot hold its version or method.

    There is no encoding for these two (Server Validation). A message without the name in its params gets no `Mcp-Name`:
    the server's error will say what is missing.
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

    Encoding is always allowed, so two doubtful texts are encoded too: the empty one, because some intermediaries drop
    empty headers, and one with a tab, which the standard allows but the public conformance suite does not, and which
    recipients may turn into a space. A lone surrogate has no UTF-8; it becomes U+FFFD, as in servers that accept it.
    """
    before, after = _WRAPPING
    if re.fullmatch(_PLAIN, text) and not (text.startswith(before) and text.endswith(after)):
        return text.encode()
    return b"%b%b%b" % (before.encode(), base64.b64encode(replaced(text).encode()), after.encode())


def string(value: Raw) -> str | None:
    """The text of a JSON string; None for another value, or none."""
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
        return _NameTarget()  # They are not an object.
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return _decode_target(mended(params))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _NameTarget()
