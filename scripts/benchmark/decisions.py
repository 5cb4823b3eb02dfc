"""What the decisions in `docs/decisions/` rest on, measured: `python -m scripts.benchmark.decisions NAME`.

`scripts/measure.py` runs it with the packages that it needs. Each figure is the best of several runs, and time is the
processor's where nothing else is said: other work on the machine disturbs both least.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence

IMPORT_RUNS = 9
CALLS = 500
ROUNDS = 5

_IMPORT = """
import asyncio, json, ssl, sys, time, psutil
before, memory = set(sys.modules), psutil.Process().memory_info().rss
began = time.process_time()
{statements}
took = time.process_time() - began
print(json.dumps([took * 1e3, (psutil.Process().memory_info().rss - memory) / 1e6, len(set(sys.modules) - before)]))
"""


def imports(rows: Sequence[tuple[str, str]]) -> None:
    """Print what imports cost in a new interpreter that has asyncio and ssl already. A row is a name and statements."""
    table("import", "ms", "MB", "modules")
    for name, statements in rows:
        runs = [
            json.loads(subprocess.check_output([sys.executable, "-c", _IMPORT.format(statements=statements)]))
            for _ in range(IMPORT_RUNS)
        ]
        milliseconds, megabytes, modules = (min(values) for values in zip(*runs, strict=True))
        row(name, f"{milliseconds:.0f}", f"{megabytes:.1f}", f"{modules:.0f}")


def table(*columns: str) -> None:
    """Print the head of a table."""
    print(f"\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")


def row(*cells: str) -> None:
    """Print a row of it."""
    print(f"| {' | '.join(cells)} |", flush=True)


# -- http


def http() -> None:
    """The layer on h11 beside httpcore and httpx: what importing costs, and one small call after another."""
    imports(
        [
            ("h11", "import h11"),
            ("the bridge's layer", "import bridge.remote.exchanges"),
            ("httpcore", "import httpcore, httpcore._backends.auto, anyio._backends._asyncio"),
            ("httpx", "import httpx, httpcore, anyio._backends._asyncio"),
            ("anyio", "import anyio, anyio._backends._asyncio"),
        ]
    )
    from scripts.benchmark.servers import thin_server

    with thin_server() as url:
        table(f"{CALLS} calls of `echo`, one after another", "ms a call, waiting included", "ms a call")
        for name, client in (("the bridge's layer", _bridge_client), ("httpx", _httpx_client)):
            runs = [asyncio.run(client(f"{url}/mcp/{client.__name__}{number}")) for number in range(ROUNDS)]
            took, processor = (min(values) / CALLS * 1e3 for values in zip(*runs, strict=True))
            row(name, f"{took:.2f}", f"{processor:.2f}")


async def _calls(post: Callable[[bytes, str], Awaitable[str]]) -> tuple[float, float]:
    """Open a session, then make the calls; seconds, and seconds of the processor. `post` returns the session id."""
    from scripts.benchmark import messages

    session = await post(messages.initialize(1), "")
    await post(messages.INITIALIZED, session)
    began, used = time.perf_counter(), time.process_time()
    for number in range(CALLS):
        await post(messages.echo(number + 2), session)
    return time.perf_counter() - began, time.process_time() - used


async def _httpx_client(url: str) -> tuple[float, float]:
    import httpx

    async with httpx.AsyncClient(trust_env=False) as client:

        async def post(body: bytes, session: str) -> str:
            headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
            if session:
                headers["mcp-session-id"] = session
            response = await client.post(url, content=body, headers=headers)
            response.raise_for_status()
            return str(response.headers.get("mcp-session-id", session))

        return await _calls(post)


async def _bridge_client(url: str) -> tuple[float, float]:
    from bridge.remote.connecting import Route, origin_of
    from bridge.remote.connections import Connections
    from bridge.remote.exchanges import Remote, RemoteRequest
    from bridge.session.events import BodyReceived, Event, ResponseStarted

    events: list[Event] = []

    async def clear() -> None:
        return

    connections = Connections(Route(origin_of(url), None, None, None), 10.0)
    remote = Remote(url, (), connections, emit=events.append, clear=clear)

    async def post(body: bytes, session: str) -> str:
        headers = [(b"content-type", b"application/json"), (b"accept", b"application/json, text/event-stream")]
        if session:
            headers.append((b"mcp-session-id", session.encode()))
        events.clear()
        await remote.run(RemoteRequest(1, b"POST", tuple(headers), body))
        assert isinstance(events[-1], BodyReceived), events  # noqa: S101 - else nothing was measured
        named = [event.session_id for event in events if isinstance(event, ResponseStarted) and event.session_id]
        return named[0].decode() if named else session

    try:
        return await _calls(post)
    finally:
        connections.drop_idle()


# -- sse


def sse() -> None:
    """The bridge's decoder beside httpx-sse: many small events, and one large one, in pieces of 64 kB."""
    import codecs

    from httpx_sse._decoders import SSEDecoder, SSELineDecoder

    from bridge.protocol.sse import EventStreamDecoder

    def ours(pieces: list[bytes]) -> int:
        decoder = EventStreamDecoder(1 << 28)
        return sum(len(decoder.feed(piece)) for piece in pieces)

    def theirs(pieces: list[bytes]) -> int:
        text, lines, decoder = codecs.getincrementaldecoder("utf-8")("replace"), SSELineDecoder(), SSEDecoder()
        found = (line for piece in pieces for line in lines.decode(text.decode(piece)))
        return sum(decoder.decode(line) is not None for line in found)

    event = b'id: 17\nevent: message\ndata: {"jsonrpc":"2.0","method":"notifications/progress","params":{}}\n\n'
    streams = {
        "20,000 events of 100 bytes": event * 20_000,
        "one event of 10 MB": b"data: " + b"x" * 10_000_000 + b"\n\n",
    }
    imports([("httpx-sse", "import httpx_sse"), ("bridge.protocol.sse", "import bridge.protocol.sse")])
    table("stream", "the bridge, ms", "httpx-sse, ms")
    for name, stream in streams.items():
        pieces = [stream[start : start + 65_536] for start in range(0, len(stream), 65_536)]
        assert ours(pieces) == theirs(pieces)  # noqa: S101 - else nothing was compared
        row(name, *(f"{min(_seconds(read, pieces) for _ in range(ROUNDS)) * 1e3:.0f}" for read in (ours, theirs)))


def _seconds(work: Callable[[list[bytes]], int], pieces: list[bytes]) -> float:
    began = time.process_time()
    work(pieces)
    return time.process_time() - began


# -- the login process, and its channel


def login() -> None:
    """What a sign-in needs that a relay does not: it is in the login process, and not in every bridge."""
    imports(
        [
            ("a bridge that relays", "import bridge.app.main"),
            ("what signs in", "import bridge.tokens.login_session, httpx, bridge.login.listener, bridge.login.page"),
            (
                "keyring",
                "import keyring, keyring.backends.SecretService" if sys.platform == "linux" else "import keyring",
            ),
        ]
    )
    table("a login process", "ms")
    bare, ours = (
        min(_launch(statements) for _ in range(IMPORT_RUNS)) * 1e3
        for statements in ("", "import bridge.tokens.login_process, bridge.tokens.login_session")
    )
    row("the interpreter alone", f"{bare:.0f}")
    row("with what it imports before it listens", f"{ours:.0f}")


def _launch(statements: str) -> float:
    """Seconds of the processor that a new interpreter takes for them, its own start included."""
    command = [sys.executable, "-c", f"{statements}\nimport time\nprint(time.process_time())"]
    return float(subprocess.check_output(command, stdin=subprocess.DEVNULL))


def channel() -> None:
    """The channel on loopback TCP: connecting with both proofs, and a command with its reply."""

    async def measure() -> tuple[float, float, float]:
        from bridge.login.channel import Channel, ChannelServer
        from bridge.login.channel_messages import LoginCommand

        async def reply(_: LoginCommand) -> str:
            return ""

        key = secrets.token_bytes(32)
        server = await ChannelServer.start(key, reply)
        connected, said, plain = [], [], []
        for _ in range(50):
            began = time.perf_counter()
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            plain.append(time.perf_counter() - began)
            writer.transport.abort()
            began = time.perf_counter()
            client = await Channel.connect(server.port, key, 5.0)
            connected.append(time.perf_counter() - began)
            began = time.perf_counter()
            await client.say("open")
            said.append(time.perf_counter() - began)
            await client.close()
        await server.close()
        return min(plain), min(connected), min(said)

    plain, connected, said = asyncio.run(measure())
    table("the channel, client and server in one event loop", "ms, waiting included")
    row("a TCP connection", f"{plain * 1e3:.2f}")
    row("a connection with both proofs", f"{connected * 1e3:.2f}")
    row("a command and its reply", f"{said * 1e3:.2f}")


# -- libraries for signing in


def claims() -> None:
    """Reading a JWT's claims: the bridge's own lines beside joserfc and Authlib's jose."""
    imports(
        [
            ("bridge.oauth.claims", "import bridge.oauth.claims"),
            ("joserfc", "from joserfc import jws, jwt"),
            ("cryptography", "from cryptography.hazmat.primitives.asymmetric import rsa, ec"),
        ]
    )
    from bridge.oauth.claims import claims_of

    parts = ({"alg": "RS256"}, {"iss": "https://login.example", "aud": "https://mcp.example", "exp": 1, "scope": "a b"})
    token = (
        ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + ".c2ln"
    )
    assert claims_of(token)["iss"] == "https://login.example"  # noqa: S101 - else nothing was measured
    began = time.perf_counter()
    for _ in range(1000):
        claims_of(token)
    table("reading one token", "microseconds")
    row("bridge.oauth.claims", f"{(time.perf_counter() - began) * 1e3:.0f}")


def authlib() -> None:
    """The two pure parts of Authlib that are used, beside its client."""
    imports(
        [
            (
                "the parts in use",
                "import authlib.oauth2.rfc6749.parameters, authlib.oauth2.rfc7636",
            ),
            ("Authlib's httpx client", "from authlib.integrations.httpx_client import AsyncOAuth2Client"),
            ("httpx alone", "import httpx"),
        ]
    )


SUBJECTS = {"http": http, "sse": sse, "login": login, "channel": channel, "claims": claims, "authlib": authlib}


if __name__ == "__main__":
    SUBJECTS[sys.argv[1]]()
