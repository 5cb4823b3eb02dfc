"""A way to a port on this machine that takes time: what goes in comes out later, in order, its end and its break too.

The first packets of TCP are not held back: the client is connected at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import Self

_RESET = struct.pack("ii", 1, 0)


class Distance:
    """Listens at `port` on 127.0.0.1, and is `delay` seconds each way from `target`."""

    def __init__(self, target: int, delay: float) -> None:
        self.port = 0
        self.connections = 0
        self._target = target
        self._delay = delay
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            await asyncio.sleep(self._delay)
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._carry(reader, far_writer))
                    both.create_task(self._carry(far_reader, writer))
            finally:
                far_writer.transport.abort()
        except OSError:
            _reset(writer)
        except asyncio.CancelledError:
            pass  # The test is over.
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction, until its end."""
        under_way: asyncio.Queue[tuple[float, Callable[[], bool]]] = asyncio.Queue()
        arriving = asyncio.create_task(self._arrive(under_way))
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    data = await reader.read(1 << 16)
                    step = _writing(writer, data) if data else _ending(writer)
                except OSError:
                    data, step = b"", _resetting(writer)
                under_way.put_nowait((loop.time() + self._delay, step))
                if not data:
                    break
            await arriving
        finally:
            arriving.cancel()

    async def _arrive(self, under_way: asyncio.Queue[tuple[float, Callable[[], bool]]]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            at, step = await under_way.get()
            await asyncio.sleep(max(0.0, at - loop.time()))
            if step():
                return


def _writing(writer: asyncio.StreamWriter, data: bytes) -> Callable[[], bool]:
    def step() -> bool:
        if not writer.transport.is_closing():
            writer.write(data)
        return False

    return step


def _ending(writer: asyncio.StreamWriter) -> Callable[[], bool]:
    def step() -> bool:
        if not writer.transport.is_closing():
            with contextlib.suppress(OSError):
                writer.write_eof()
        return True

    return step


def _resetting(writer: asyncio.StreamWriter) -> Callable[[], bool]:
    def step() -> bool:
        _reset(writer)
        return True

    return step


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None and not writer.transport.is_closing():
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()
