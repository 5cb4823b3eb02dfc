"""A wire without a socket, for tests that say how the bytes arrive."""

from __future__ import annotations

from bridge.remote.wire import Wire


class ScriptedWire(Wire):
    """Each read gives the next of `reads`, an exception among them is raised; what is written is kept."""

    def __init__(self, *reads: bytes | Exception, write_error: OSError | None = None) -> None:
        super().__init__()
        self.reads = list(reads)
        self.written: list[bytes] = []
        self.write_error = write_error
        self.aborted = False
        self.news = False

    @property
    def has_news(self) -> bool:
        return self.news

    async def read(self) -> bytes:
        assert self.reads, "read more than there is"
        piece = self.reads.pop(0)
        if isinstance(piece, Exception):
            raise piece
        return piece

    async def write(self, *pieces: bytes) -> None:
        if self.write_error:
            raise self.write_error
        self.written += pieces

    def abort(self) -> None:
        self.aborted = True
