"""Content codings (RFC 9110, 8.4.1): decompresses a body.

The bridge asks for no compression, but some servers compress anyway.

| `Content-Encoding` | decoded as |
|---|---|
| none, `identity` | not at all |
| `gzip`, `x-gzip` | gzip (RFC 1952), with one or more members; also zlib's format |
| `deflate` | zlib's format (RFC 1950), or raw deflate (RFC 1951), which some servers send; the first two bytes tell |
| any other | not at all |

A body that ends within the compressed data is incomplete, like one that is shorter than its `Content-Length`.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator

import h11

_INFLATE_AT_ONCE = 256 * 1024
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_GZIP = zlib.MAX_WBITS | 16
_GZIP_MAGIC = b"\x1f\x8b"
_ZLIB_HEAD = 2
_DEFLATE_METHOD = 8


async def decompressed(pieces: AsyncIterator[bytes], coding: bytes) -> AsyncIterator[bytes]:
    """Decompress a body. `coding` is in lower case; each piece that is yielded is at most 256 kB.

    Raises `zlib.error`, `h11.RemoteProtocolError` for a body that is cut off, and what `pieces` raises.
    """
    decoder = _Deflate() if coding == b"deflate" else _Gzip()
    async for piece in pieces:
        data = decoder.take(piece)
        while data:
            yield data
            if len(data) < _INFLATE_AT_ONCE:
                break
            # A small piece may inflate to a thousand times its size, so other tasks get their turn in between.
            await asyncio.sleep(0)
            data = decoder.take(b"")
    if decoder.is_within:
        raise h11.RemoteProtocolError("the compressed body is cut off")


class _Gzip:
    """Decodes gzip members (RFC 1952, 2.2); other data after them is ignored."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=_GZIP_OR_ZLIB)
        self._rest = b""
        self._began = False
        self._is_over = False

    def take(self, data: bytes) -> bytes:
        """Take compressed bytes and return the decoded ones, at most `_INFLATE_AT_ONCE`: call again for more.

        Raises `zlib.error`.
        """
        rest = self._rest + data if self._rest else data
        self._began = self._began or bool(rest)
        out = b""
        while len(out) < _INFLATE_AT_ONCE:
            if self._member.eof:
                rest = b"" if self._is_over else rest.lstrip(b"\0")  # Members may be padded.
                if len(rest) < len(_GZIP_MAGIC):
                    break
                if not rest.startswith(_GZIP_MAGIC):
                    self._is_over = True
                    continue
                self._member = zlib.decompressobj(wbits=_GZIP)
            # Called without input too: zlib may hold more after a full piece of output.
            more = self._member.decompress(rest, _INFLATE_AT_ONCE - len(out))
            out = out + more if out else more
            rest = self._member.unconsumed_tail or self._member.unused_data
            if not self._member.eof and not rest:
                break
        self._rest = rest
        return out

    @property
    def is_within(self) -> bool:
        """Whether the data is incomplete so far."""
        return bool(self._rest) or (self._began and not self._member.eof)


class _Deflate:
    """Decodes one stream, in zlib's format or raw; data after it is ignored."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj()
        self._rest = b""
        self._began = False

    def take(self, data: bytes) -> bytes:
        """As `_Gzip.take`."""
        rest = self._rest + data if self._rest else data
        if not self._began:
            if len(rest) < _ZLIB_HEAD:
                self._rest = rest
                return b""
            self._began = True
            if not _has_zlib_head(rest):
                self._stream = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
        out = self._stream.decompress(rest, _INFLATE_AT_ONCE)
        self._rest = self._stream.unconsumed_tail
        return out

    @property
    def is_within(self) -> bool:
        """Whether the data is incomplete so far."""
        return bool(self._rest) or (self._began and not self._stream.eof)


def _has_zlib_head(data: bytes) -> bool:
    """RFC 1950, 2.2. Raw deflate cannot begin so: it would be a stored block with wrong padding bits."""
    return data[0] & 0x0F == _DEFLATE_METHOD and (data[0] << 8 | data[1]) % 31 == 0
