"""How client and login process authenticate each other with the channel's key, and how lines are read and written.

Any program and any page in a browser can connect to the port of the login process. And the port in an old notice file
may belong to another program by now. So each side proves that it knows the key before it sends anything else:

| sender | line |
|---|---|
| client | `{"nonce": a}` |
| login process | `{"nonce": b}` |
| client | `{"proof": HMAC-SHA256(key, "client", port, a, b)}` |
| login process | `{"proof": HMAC-SHA256(key, "login", port, a, b)}`, only if the client's proof is right |

The port is part of the proof, so a program on another port cannot relay the proofs. Any other line ends the connection
without an answer.
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
    """The login process cannot be reached, is gone, or did not authenticate."""


def line_of(message: msgspec.Struct) -> bytes:
    """Return the line for `message`, with U+FFFD in place of each lone surrogate."""
    try:
        return msgspec.json.encode(message) + b"\n"
    except UnicodeEncodeError:
        return msgspec.json.encode(_mended(message)) + b"\n"


async def read_line(reader: asyncio.StreamReader, decoder: msgspec.json.Decoder[T]) -> T:
    """Return the next line, decoded. It may be as long as the reader's limit.

    Raises `ChannelLost` at the end of the stream, and for a line that `decoder` does not accept.
    """
    try:
        return decoder.decode(await reader.readuntil(b"\n"))
    except (asyncio.IncompleteReadError, OSError):
        raise ChannelLost("The login process has ended or closed the connection.", hint="Sign in again.") from None
    except (asyncio.LimitOverrunError, msgspec.MsgspecError, UnicodeError):
        raise ChannelLost(
            "The other end of the connection to the login process sent a line that is not understood.",
            hint="Sign in again.",
        ) from None


async def prove_as_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: bytes, port: int) -> None:
    """Authenticate to the login process on `port` with `key`, and check its proof. Raises `ChannelLost`."""
    asked = secrets.token_hex(32)
    writer.write(line_of(_Nonce(asked)))
    answered = (await read_line(reader, _nonces)).nonce
    writer.write(line_of(_Proof(_proof(key, "client", port, asked, answered))))
    proof = (await read_line(reader, _proofs)).proof
    if not hmac.compare_digest(proof, _proof(key, "login", port, asked, answered)):
        raise ChannelLost(f"The program on port {port} is not the expected login process.", hint="Sign in again.")


async def prove_as_login(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: bytes, port: int) -> None:
    """Check the proof of the client that connected to `port`, then send our own. Raises `ChannelLost`."""
    asked = (await read_line(reader, _nonces)).nonce
    answered = secrets.token_hex(32)
    writer.write(line_of(_Nonce(answered)))
    proof = (await read_line(reader, _proofs)).proof
    if not hmac.compare_digest(proof, _proof(key, "client", port, asked, answered)):
        raise ChannelLost("The program that connected to the login process does not know its key.")
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
