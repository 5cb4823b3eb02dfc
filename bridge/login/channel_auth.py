"""How the two ends of the channel prove to each other that they know its key, before anything is said; and its lines.

Any program and any page of a browser can connect to a port, and the port that a notice names may long be another's.
So each side proves that it knows the key, the one who connects first:

| who | line | says |
|---|---|---|
| client | `{"nonce": a}` | nothing |
| login | `{"nonce": b}` | nothing |
| client | `{"proof": HMAC-SHA256(key, "client", port, a, b)}` | that it knows the key |
| login | `{"proof": HMAC-SHA256(key, "login", port, a, b)}` | the same, only to who has proved it |

The port is part of it, so that nobody can stand in between and pass the proofs on. Whatever else comes ends the
connection without a word.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from bridge import PROGRAM
from bridge.errors import BridgeError
from bridge.protocol.surrogates import replaced

T = TypeVar("T")

_Hex = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class _Nonce(msgspec.Struct, frozen=True):
    nonce: _Hex


class _Proof(msgspec.Struct, frozen=True):
    proof: _Hex


_nonces = msgspec.json.Decoder(_Nonce)
_proofs = msgspec.json.Decoder(_Proof)


class ChannelLost(BridgeError):
    """The login process cannot be reached, is gone, or does not prove that it is the one."""


def line_of(message: msgspec.Struct) -> bytes:
    """Return the line that says `message`, with U+FFFD for each lone surrogate in it."""
    try:
        return msgspec.json.encode(message) + b"\n"
    except UnicodeEncodeError:
        return msgspec.json.encode(_mended(message)) + b"\n"


async def read_line(reader: asyncio.StreamReader, decoder: msgspec.json.Decoder[T]) -> T:
    """Return the next line, of no more bytes than the reader's limit.

    Raises `ChannelLost` at the end, and for whatever `decoder` does not take.
    """
    try:
        return decoder.decode(await reader.readuntil(b"\n"))
    except (asyncio.IncompleteReadError, OSError):
        raise ChannelLost(
            "The login process has ended, or closed the connection to it.", hint="Sign in again."
        ) from None
    except (asyncio.LimitOverrunError, msgspec.MsgspecError, UnicodeError):
        raise ChannelLost(
            "What came from the other end of the login's channel cannot be understood.",
            hint="Sign in again.",
        ) from None


async def prove_as_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: bytes, port: int) -> None:
    """Prove to the login on `port` that we know `key`, and have it prove the same. Raises `ChannelLost`."""
    asked = secrets.token_hex(32)
    writer.write(line_of(_Nonce(asked)))
    answered = (await read_line(reader, _nonces)).nonce
    writer.write(line_of(_Proof(_proof(key, "client", port, asked, answered))))
    proof = (await read_line(reader, _proofs)).proof
    if not hmac.compare_digest(proof, _proof(key, "login", port, asked, answered)):
        raise ChannelLost(
            f"The program on port {port} is not the login process that was expected there.", hint="Sign in again."
        )


async def prove_as_login(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: bytes, port: int) -> None:
    """Have who came to `port` prove that it knows `key`, then prove the same. Raises `ChannelLost`."""
    asked = (await read_line(reader, _nonces)).nonce
    answered = secrets.token_hex(32)
    writer.write(line_of(_Nonce(answered)))
    proof = (await read_line(reader, _proofs)).proof
    if not hmac.compare_digest(proof, _proof(key, "client", port, asked, answered)):
        raise ChannelLost("The program that connected to this login does not know its key.")
    writer.write(line_of(_Proof(_proof(key, "login", port, asked, answered))))


def _mended(value: Any) -> Any:
    match value:
        case str():
            return replaced(value)
        case tuple():
            return tuple(map(_mended, value))
        case msgspec.Struct():
            fields = {name: _mended(field) for name, field in msgspec.structs.asdict(value).items()}
            return msgspec.structs.replace(value, **fields)
    return value


def _proof(key: bytes, side: Literal["client", "login"], port: int, asked: str, answered: str) -> str:
    said = f"{PROGRAM} {side} {port} {asked} {answered}"
    return hmac.new(key, said.encode("ascii"), hashlib.sha256).hexdigest()
