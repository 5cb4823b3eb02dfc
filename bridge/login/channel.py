"""The channel between the login process and its clients: lines of JSON over TCP on 127.0.0.1.

Client and login process authenticate each other with a key first (`channel_auth`). Then the login process sends
`LoginStatus` and `Reply`, and the client sends `LoginCommand` (`channel_messages`).

Each `LoginStatus` is the whole state of the login. A slow client gets only the newest, and a late one gets it at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

from bridge.errors import BridgeError
from bridge.login.channel_auth import ChannelLost, line_of, prove_as_client, prove_as_login, read_line
from bridge.login.channel_messages import LoginCommand, LoginReply, LoginStatus

__all__ = ["Channel", "ChannelLost", "ChannelServer"]

MAX_STATUS = 1024 * 1024
"""The longest line from the login process, in bytes: a record (an answer is at most half of that) and a log."""
MAX_COMMAND = 64 * 1024
"""The longest line to the login process, in bytes."""
MAX_CLIENTS = 64
"""The most connections at once. A further one replaces the oldest that has not authenticated."""
HANDSHAKE_TIMEOUT = 5.0
"""How long a connection may take to authenticate, in seconds."""
CLOSE_TIMEOUT = 1.0
"""How long `ChannelServer.close` waits for the clients to read everything, in seconds."""
WRITE_TIMEOUT = 10.0
"""How long a client that reads nothing keeps its connection, in seconds."""
REPLY_TIMEOUT = 30.0
"""How long `Channel.say` waits for the reply, in seconds."""

_HOST = "127.0.0.1"

OnCommand = Callable[[LoginCommand], Awaitable[str]]

_logger = logging.getLogger("bridge.login")

_commands = msgspec.json.Decoder(LoginCommand)
_messages: msgspec.json.Decoder[LoginStatus | LoginReply] = msgspec.json.Decoder(LoginStatus | LoginReply)


class _ChannelClient:
    """The login process's end of one connection. Nothing is sent before `is_proven`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.is_proven = False
        self._reader = reader
        self._writer = writer
        self._login_status = b""
        self._replies = b""
        self._is_answering = False
        self._is_ending = False
        self._wake = asyncio.Event()
        # News in the transport's buffer could not be replaced by newer news.
        writer.transport.set_write_buffer_limits(high=0)

    def tell(self, login_status: bytes) -> None:
        """Send this line next, in place of news that is not sent yet."""
        self._login_status = login_status
        self._wake.set()

    def end(self) -> None:
        """Close when everything is sent and the client has closed its side, which shows that it read it."""
        self._is_ending = True
        self._wake.set()

    def drop(self) -> None:
        """Close at once, without sending anything."""
        self._writer.transport.abort()

    async def prove(self, key: bytes, port: int) -> None:
        """Raise `ChannelLost` unless the client knows the key."""
        await prove_as_login(self._reader, self._writer, key, port)
        self.is_proven = True

    async def attend(self, on_command: OnCommand) -> None:
        """Read and send until the client closes. Raises `ChannelLost`."""
        telling = asyncio.create_task(self._tell())
        try:
            while True:
                command = await read_line(self._reader, _commands)
                if self._is_ending:
                    continue
                self._is_answering = True
                try:
                    problem = await on_command(command)
                except BridgeError as error:
                    problem = str(error)
                self._replies += line_of(LoginReply(number=command.number, problem=problem))
                self._is_answering = False
                self._wake.set()
        finally:
            telling.cancel()

    async def _tell(self) -> None:
        try:
            while self._login_status or self._replies or self._is_answering or not self._is_ending:
                await self._wake.wait()
                self._wake.clear()
                said, self._replies, self._login_status = self._replies + self._login_status, b"", b""
                self._writer.write(said)
                async with asyncio.timeout(WRITE_TIMEOUT):
                    await self._writer.drain()
            self._writer.write_eof()
        except OSError:  # TimeoutError is one.
            self.drop()


class ChannelServer:
    """The login process's end of the channel; made by `start`, ended by `close`."""

    def __init__(
        self, key: bytes, on_command: Callable[[LoginCommand], Awaitable[str]], handshake_seconds: float
    ) -> None:
        self.port = 0
        self._key = key
        self._on_command = on_command
        self._handshake_seconds = handshake_seconds
        self._server: asyncio.Server | None = None
        self._clients: dict[_ChannelClient, asyncio.Task[None]] = {}  # Those that authenticated are in that order.
        self._login_status = b""
        self._for_first = b""
        self._is_taken = asyncio.Event()
        self._is_closed = False

    @classmethod
    async def start(
        cls,
        key: bytes,
        on_command: Callable[[LoginCommand], Awaitable[str]],
        handshake_seconds: float = HANDSHAKE_TIMEOUT,
    ) -> ChannelServer:
        """Listen on a free port of 127.0.0.1, `port` from then on.

        `on_command` does what a client wants, and returns "" or a sentence that says why it could not. Raises
        `ChannelLost` if it cannot listen.
        """
        channel = cls(key, on_command, handshake_seconds)
        try:
            channel._server = await asyncio.start_server(channel._accept, _HOST, 0, limit=MAX_COMMAND)
        except OSError as error:
            raise ChannelLost(
                f"The login process cannot listen on {_HOST}: {error.strerror or error}.",
                hint="A firewall or a sandbox may forbid it.",
            ) from error
        channel.port = channel._server.sockets[0].getsockname()[1]
        return channel

    def publish(self, login_status: LoginStatus) -> None:
        """Send this to all clients, and to those that connect later."""
        self._login_status = line_of(login_status)
        self._tell_all()

    def publish_last(self, first: LoginStatus, others: LoginStatus) -> None:
        """Send `first` to the client that connected first, and `others` to all others and to those that connect later.

        If no client is connected, `first` is for the next one that connects.
        """
        self._for_first, self._login_status = line_of(first), line_of(others)
        self._tell_all()

    async def until_taken(self, seconds: float) -> None:
        """Wait until a client got the last news: the login may be over before the process that began it connects."""
        try:
            async with asyncio.timeout(seconds):
                await self._is_taken.wait()
        except TimeoutError:
            _logger.debug("no process waits for this login")

    async def close(self) -> None:
        """Close every connection when its client has read everything, or after `CLOSE_TIMEOUT` seconds.

        Do not call it within `on_command`, because it waits for that reply.
        """
        self._is_closed = True
        if self._server is not None:
            self._server.close()
        tasks = list(self._clients.values())
        for client in self._clients:
            if client.is_proven:
                client.end()
            else:
                client.drop()
        if tasks:
            _, slow = await asyncio.wait(tasks, timeout=CLOSE_TIMEOUT)
            for task in slow:
                task.cancel()
            if slow:
                await asyncio.wait(slow, timeout=CLOSE_TIMEOUT)

    def _tell_all(self) -> None:
        for client in self._clients:
            if client.is_proven:
                self._tell(client)

    def _tell(self, client: _ChannelClient) -> None:
        """Send the current state. What is for one client only is sent once."""
        if self._for_first:
            self._is_taken.set()
        login_status, self._for_first = self._for_first or self._login_status, b""
        if login_status:
            client.tell(login_status)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = _ChannelClient(reader, writer)
        if self._is_closed or not self._has_room():
            client.drop()
            return
        self._clients[client] = asyncio.create_task(self._attend(client))

    async def _attend(self, client: _ChannelClient) -> None:
        try:
            async with asyncio.timeout(self._handshake_seconds):
                await client.prove(self._key, self.port)
            if client in self._clients:
                self._clients[client] = self._clients.pop(client)
                self._tell(client)
                await client.attend(self._on_command)
        except (ChannelLost, TimeoutError) as problem:
            if not client.is_proven:
                _logger.debug(
                    "a connection to the login process was closed: %s",
                    str(problem) or "it did not authenticate in time",
                )
        finally:
            self._clients.pop(client, None)
            client.drop()

    def _has_room(self) -> bool:
        if len(self._clients) < MAX_CLIENTS:
            return True
        for client in self._clients:
            if not client.is_proven:
                del self._clients[client]
                client.drop()
                return True
        return False


class Channel:
    """A client's end of the channel; made by `connect`, ended by `close`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._login_status: LoginStatus | None = None
        self._new_status = asyncio.Event()
        self._replies: dict[int, asyncio.Future[str]] = {}
        self._said = 0
        self._lost: ChannelLost | None = None
        self._receiving = asyncio.create_task(self._receive())

    @classmethod
    async def connect(cls, port: int, key: bytes, seconds: float) -> Channel:
        """Connect to the login process on `port` and authenticate each other with `key`, within `seconds`.

        Raises `ChannelLost`.
        """
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(seconds):
                reader, writer = await asyncio.open_connection(_HOST, port, limit=MAX_STATUS)
                await prove_as_client(reader, writer, key, port)
            return cls(reader, writer)
        except BaseException as problem:
            if writer is not None:
                writer.transport.abort()
            if isinstance(problem, OSError | OverflowError):
                why = f"no answer within {seconds:g} seconds" if isinstance(problem, TimeoutError) else str(problem)
                raise ChannelLost(
                    f"The login process on port {port} cannot be reached: {why}.", hint="Sign in again."
                ) from None
            raise

    async def login_status(self) -> LoginStatus:
        """Wait for the next news; if several came meanwhile, return the newest.

        Raises `ChannelLost` when the login process is gone.
        """
        while self._login_status is None:
            if self._lost is not None:
                raise self._lost
            await self._new_status.wait()
            self._new_status.clear()
        login_status, self._login_status = self._login_status, None
        return login_status

    async def say(self, want: Literal["callback", "open", "stop"], text: str = "") -> str:
        """Ask the login process to do something (`LoginCommand`); return "", or a sentence that says why it did not.

        Raises `ChannelLost`. `channel_messages` may be called meanwhile.
        """
        self._said += 1
        number = self._said
        line = line_of(LoginCommand(number=number, want=want, text=text))
        if len(line) > MAX_COMMAND:
            return "The text is too long."
        if self._lost is not None:
            raise self._lost
        reply = self._replies[number] = asyncio.get_running_loop().create_future()
        try:
            self._writer.write(line)
            async with asyncio.timeout(REPLY_TIMEOUT):
                problem: str = await reply
                return problem
        except TimeoutError:
            raise ChannelLost(
                f"The login process did not answer within {REPLY_TIMEOUT:g} seconds.", hint="Sign in again."
            ) from None
        finally:
            del self._replies[number]

    async def close(self) -> None:
        """Close this end. The login goes on."""
        self._receiving.cancel()
        await asyncio.wait([self._receiving])
        self._writer.transport.abort()  # A task that was cancelled before it began has not done so.

    async def _receive(self) -> None:
        try:
            while True:
                match await read_line(self._reader, _messages):
                    case LoginStatus() as login_status:
                        self._login_status = login_status
                        self._new_status.set()
                    case LoginReply(number=number, problem=problem):
                        if (reply := self._replies.get(number)) and not reply.done():
                            reply.set_result(problem)
        except ChannelLost as lost:
            self._lost = lost
        finally:
            self._lost = self._lost or ChannelLost("The connection to the login process was closed.")
            self._new_status.set()
            for reply in self._replies.values():
                if not reply.done():
                    reply.set_exception(self._lost)
            self._writer.transport.abort()
