"""The order for a login process, one line of JSON on its stdin, and its answer, one line on its stdout.

Other users of the machine can read the arguments of a process, but not its stdin. The order has no headers, because
these are for the MCP server only.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import msgspec

from bridge.config import Settings
from bridge.oauth.client import Client
from bridge.oauth.record import Record, tokens_key
from bridge.remote.credentials import ANONYMOUS, AuthRefusal

LIMIT = 1_000_000
"""The longest order, in bytes."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The order to sign in to `settings.url`.

    `refusal` is the server's refusal that made the sign-in necessary; None where the user asked for it before any
    request. `previous` is the record of the last sign-in, without its tokens. `host_name` is the name of the program
    that the user works with. `judged_at` is when the sign-in was found necessary (Unix seconds). `desktop` says, for
    the log, which environment variables were found elsewhere, and where.
    """

    settings: Settings
    refusal: AuthRefusal | None = None
    previous: Record | None = None
    host_name: str = ""
    judged_at: float = 0.0
    desktop: str = ""

    def __repr__(self) -> str:
        """Without its content, which may have a client secret."""
        return f"Order({self.settings.url!r})"


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The login process listens on `port` of 127.0.0.1, for clients that know `key` (hex)."""

    port: int
    key: str

    def __repr__(self) -> str:
        """Without the key."""
        return f"Ready({self.port})"


class Busy(msgspec.Struct, frozen=True, tag="busy"):
    """Another login process is running, or has ended since this one was found necessary: look again."""


class Unable(msgspec.Struct, frozen=True, tag="unable"):
    """The login process cannot sign in; `message` and `hint` say why."""

    message: str
    hint: str = ""


Answer = Ready | Busy | Unable


def make_order(settings: Settings, refusal: AuthRefusal | None, previous: Record | None, host_name: str) -> Order:
    """An order with what is needed, and no more."""
    if refusal is not None:
        refusal = refusal._replace(credential=ANONYMOUS)
    if previous is not None:
        previous = msgspec.structs.replace(
            previous, access_token="", refresh_token="", id_token="", client=_public(previous)
        )
    return Order(settings=settings, refusal=refusal, previous=previous, host_name=host_name)


def _public(record: Record) -> Client:
    return msgspec.structs.replace(record.client, secret="")


def tokens_key_of(settings: Settings) -> str:
    """The store key of the tokens for these settings (`oauth.record`)."""
    own = settings.sign_in
    return tokens_key(settings.url, own.client_id or own.client_metadata_url or "", own.resource or "", own.profile)


def login_key(settings: Settings) -> str:
    """The store key of the login for these settings; there is one at a time on the machine."""
    return login_of(tokens_key_of(settings))


def login_of(store_key: str) -> str:
    """The name of the login that fills this store key."""
    return f"login-{store_key.partition('-')[2]}"


def encode_order(order: Order) -> bytes:
    """The line for the login process. Paths are absolute, because that process has another current folder."""
    settings = order.settings
    paths: dict[str, Any] = {
        name: Path(path).absolute()
        for name in ("ca_file", "client_cert", "client_cert_key", "log_file")
        if (path := getattr(settings, name)) is not None
    }
    settings = msgspec.structs.replace(
        settings, headers=(), secret_variables=(), secret_headers=(), remarks=(), notes=(), silent=True, **paths
    )
    order = msgspec.structs.replace(order, settings=settings)
    return msgspec.json.encode(order, enc_hook=_encode_more) + b"\n"


def decode_order(line: bytes) -> Order:
    """Read the line. Raises `ValueError` where it is not an order or is cut off, `UsageError` for bad settings."""
    if not line.endswith(b"\n"):
        raise ValueError("the instructions were cut off")
    return msgspec.json.decode(line, type=Order, dec_hook=_decode_more)


def _encode_more(value: object) -> object:
    if isinstance(value, Path):
        return quote(os.fsencode(value))  # A file's name need not be valid Unicode, but JSON has to be.
    raise NotImplementedError(type(value).__name__)


def _decode_more(kind: type, value: object) -> object:
    if issubclass(kind, Path) and isinstance(value, str):
        return Path(os.fsdecode(unquote_to_bytes(value)))
    raise NotImplementedError(kind.__name__)


def encode_answer(answer: Answer) -> bytes:
    """The line with which a login process answers."""
    return msgspec.json.encode(answer) + b"\n"


def decode_answer(line: bytes) -> Answer:
    """Read the answer. Raises `ValueError` where the line is not one."""
    answer: Answer = msgspec.json.decode(line, type=Answer)
    return answer
