"""What a line from the host means: an event for the session, or an error that the host gets at once."""

from __future__ import annotations

from bridge.errors import INVALID_REQUEST, PARSE_ERROR
from bridge.protocol import jsonrpc
from bridge.protocol.framing import Framed, Overlong, Unframed
from bridge.protocol.jsonrpc import Message, NotAMessage, NotJson
from bridge.session import faults
from bridge.session.events import HostBatch, HostMessage

_MAX_BATCH = 1000


def read_line(line: Framed) -> HostMessage | HostBatch | bytes:
    """Read one message from the host. Bytes are an error line to send back (JSON-RPC 2.0, 5.1 and 6)."""
    if isinstance(line, Overlong):
        return _error(PARSE_ERROR, f"The line is too long: {line.size} bytes.")
    if isinstance(line, Unframed):
        return _error(
            PARSE_ERROR, f"A Content-Length header and a blank line were expected, not these {line.size} bytes."
        )
    try:
        read = jsonrpc.read(line)
    except NotJson as problem:
        return _error(PARSE_ERROR, f"The line is not a JSON message: {problem}.")
    except NotAMessage as problem:
        return _not_a_request(problem)
    return _read_batch(read) if isinstance(read, list) else HostMessage(read)


def _read_batch(members: list[bytes]) -> HostBatch | bytes:
    if not members:
        return _error(INVALID_REQUEST, "The batch is empty.")
    if len(members) > _MAX_BATCH:
        return _error(INVALID_REQUEST, f"The batch has more than {_MAX_BATCH} messages.")
    messages: list[Message] = []
    errors: list[bytes] = []
    for member in members:
        try:
            messages.append(jsonrpc.parse(member))
        except NotAMessage as problem:
            errors.append(_not_a_request(problem))
    return HostBatch(messages, errors)


def _not_a_request(problem: NotAMessage) -> bytes:
    return _error(INVALID_REQUEST, f"The message is not a request: {problem}.", problem.raw_id)


def _error(code: int, message: str, raw_id: bytes = b"null") -> bytes:
    return faults.bad_input(raw_id, message, code)
