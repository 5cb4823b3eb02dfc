"""Content codings (RFC 9110, 8.4.1): a body as it was before the server compressed it.

None is asked for; some servers compress all the same.

| `Content-Encoding` | taken as |
|---|---|
| none, `identity` | as it is |
| `gzip`, `x-gzip` | gzip (RFC 1952), of one member or several; zlib's format too |
| `deflate` | zlib's format (RFC 1950), or bare (RFC 1951), as some servers send it: the first two bytes tell |
| any other | as it is |

A body that ends within what was compressed is as incomplete as one that ends before its length.
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
    """The pieces of a body compressed by `coding` (lower case), decoded, each at most 256 kB.

    Raises `zlib.error`, `h11.RemoteProtocolError` where it broke off, and what `pieces` raises.
    """
    decoder = _Deflate() if coding == b"deflate" else _Gzip()
    async for piece in pieces:
        data = decoder.take(piece)
        while data:
            yield data
            if len(data) < _INFLATE_AT_ONCE:
                break
            # A small piece may inflate to a thousand times its size: others have their turn in between.
            await asyncio.sleep(0)
            data = decoder.take(b"")
    if decoder.is_within:
        raise h11.RemoteProtocolError("the compressed body broke off")


class _Gzip:
    """One gzip member after another (RFC 1952, 2.2); what follows them and is none is left alone."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=_GZIP_OR_ZLIB)
        self._rest = b""
        self._began = False
        self._is_over = False

    def take(self, data: bytes) -> bytes:
        """Take compressed bytes; return all that comes of them, or as much as is given at once, and then more comes.

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
            # Called without input, too: a piece of output that was full may have left some within zlib.
            more = self._member.decompress(rest, _INFLATE_AT_ONCE - len(out))
            out = out + more if out else more
            rest = self._member.unconsumed_tail or self._member.unused_data
            if not self._member.eof and not rest:
                break
        self._rest = rest
        return out

    @property
    def is_within(self) -> bool:
        """Whether more has to come."""
        return bool(self._rest) or (self._began and not self._member.eof)


class _Deflate:
    """One stream, in zlib's format or without; what follows it is left alone."""

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
        """Whether more has to come."""
        return bool(self._rest) or (self._began and not self._stream.eof)


def _has_zlib_head(data: bytes) -> bool:
    """RFC 1950, 2.2. Deflate itself cannot begin so: it would be a stored block with bits set that are zero."""
    return data[0] & 0x0F == _DEFLATE_METHOD and (data[0] << 8 | data[1]) % 31 == 0
