"""A metadata document: an untrusted JSON object, read one member at a time (RFC 8414 3.2, RFC 9728 3.2).

| member | missing | wrong type or unusable |
|---|---|---|
| required | `MetadataError` | `MetadataError` |
| optional | None | None |

Other members are not decoded.
"""

from __future__ import annotations

import codecs
from typing import TypeVar

import msgspec

from bridge.oauth.addresses import check_endpoint
from bridge.oauth.errors import MetadataError
from bridge.protocol.nesting import is_too_deep
from bridge.protocol.sanitize import address

MAX_BYTES = 512 * 1024

_MAX_ENTRIES = 500
_LONGEST_ENTRY = 2048
_HINT = "Only the server's operator can fix that."

_T = TypeVar("_T")


def json_object(data: bytes) -> dict[str, object] | None:
    """All members of a JSON object; None for anything else. For short answers whose members are all of interest."""
    if is_too_deep(data):
        return None
    try:
        decoded = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None


class Document:
    """The members of a document. Messages name it by `what` it is and by the `url` it came from."""

    def __init__(self, body: bytes, what: str, url: str) -> None:
        """Raises `MetadataError` unless `body` is one JSON object of at most `MAX_BYTES`."""
        self.where = f"the {what} at {address(url)}"
        if len(body) > MAX_BYTES:
            raise self.fault(f"has {len(body)} bytes; the limit is {MAX_BYTES}")
        if is_too_deep(body):
            raise self.fault("is nested too deeply to be read")
        try:
            self._members = msgspec.json.decode(body.removeprefix(codecs.BOM_UTF8), type=dict[str, msgspec.Raw])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise self.fault("is not a JSON object") from None

    def fault(self, says: str, *, hint: str = _HINT) -> MetadataError:
        """The error for this document; `says` is a predicate."""
        return MetadataError(f"{self.where[0].upper()}{self.where[1:]} {says}.", hint=hint)

    def text(self, name: str) -> str | None:
        """An optional string."""
        return self._member(name, str)

    def required_text(self, name: str) -> str:
        """A required string. Raises `MetadataError`."""
        value = self.text(name)
        if not value:
            raise self._lacks(name, "a string that is not empty")
        return value

    def texts(self, name: str) -> tuple[str, ...] | None:
        """An optional array of strings: each once, in order, without those that are not visible ASCII."""
        entries = self._member(name, list[msgspec.Raw])
        if entries is None:
            return None
        texts = (_decoded(entry, str) for entry in entries[:_MAX_ENTRIES])
        kept = (text for text in texts if text and len(text) <= _LONGEST_ENTRY and _is_visible_ascii(text))
        return tuple(dict.fromkeys(kept))

    def is_true(self, name: str) -> bool:
        """Whether an optional boolean is present and true."""
        return self._member(name, bool) is True

    def endpoint(self, name: str) -> str | None:
        """An optional URL that passes `check_endpoint`."""
        try:
            return self.required_endpoint(name)
        except MetadataError:
            return None

    def required_endpoint(self, name: str) -> str:
        """A required URL that passes `check_endpoint`. Raises `MetadataError`."""
        value = self.text(name)
        if not value:
            raise self._lacks(name, "a URL")
        return check_endpoint(value, f"{name} in {self.where}")

    def _lacks(self, name: str, expected: str) -> MetadataError:
        seen = "has no" if name not in self._members else "has an unusable"
        return self.fault(f"{seen} '{name}'; {expected} was expected")

    def _member(self, name: str, kind: type[_T]) -> _T | None:
        raw = self._members.get(name)
        return None if raw is None else _decoded(raw, kind)


def _decoded(raw: msgspec.Raw, kind: type[_T]) -> _T | None:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _is_visible_ascii(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text
