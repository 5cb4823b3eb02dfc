"""What is imported until the host has its first answer, and who brought it.

A start is mostly imports. So the modules on its path are counted here, with the reason why each is needed; one more
fails with the chain of those that import it. It is either added to the table, with its reason, or imported later, in
the function that needs it.
"""

import asyncio
import ssl
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest
import trustme

from tests.cli.config_files import write_file
from tests.support.process.bridge_process import environment
from tests.support.servers.fault_server import FaultServer
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

DEADLINE = stretched(30)

INITIALIZE = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},'
    b'"clientInfo":{"name":"test-host","version":"1.0"}}}\n'
)

KNOWN = ("--protocol", "legacy")
"""As in later runs, which find the server's era in the cache."""

OWN = {
    "the command line: a plain one is read without click": (
        "cli cli.main cli.plain cli.option_table cli.settings cli.running errors config config.settings"
        " config.feature_settings config.child_environment config.signing_in config.host_names loopback"
    ),
    "what is begun while the rest is imported": (
        "app app.start host.takeover remote"
        " remote.early_connection remote.known_addresses remote.rebinding remote.proxy"
    ),
    "the wiring, the event loop's side, the end": (
        "app.main app.bridge process process.shutdown process.event_loop process.suspend"
    ),
    "the log, and what keeps secrets out of it": "process.log process.log_stderr process.log_head process.redact",
    "the host's stdin and stdout, and its death": (
        "host host.stdio host.output host.parent host.parent_chain host.launchers"
    ),
    "whether a sign-in is stored, and the token if one is": (
        "tokens tokens.authorization tokens.current_token tokens.stored_record oauth oauth.record oauth.client"
        " oauth.errors oauth.recovery remote.credentials store store.choice store.secret_store store.lazy store.paths"
        " store.roots process.host_environment tokens.login_order"
    ),
    "what an earlier run found of the server": "store.era_cache store.file store.errors",
    "messages: framing, envelopes, names": (
        "protocol protocol.framing protocol.jsonrpc protocol.nesting protocol.surrogates protocol.mcp protocol.messages"
        " protocol.client_meta protocol.hosts protocol.sanitize protocol.headers protocol.writing protocol.sse"
    ),
    "HTTP: connections, requests, answers": (
        "remote.exchanges remote.connections remote.connecting remote.dialing remote.lookups remote.wire remote.http1"
        " remote.responses remote.response_reader remote.buffer_limit remote.cookies remote.reuse remote.redirects"
        " remote.exchange_refused remote.keep_alive"
    ),
    "which eras host and server speak": (
        "session session.router session.rerouting session.host_upstreams session.era_queue session.probing"
        " session.server_era session.first_contact session.upstreams session.upstream session.commands session.events"
        " session.host_input translate translate.translator"
    ),
    "what stands in front of the session until the host asks for tools": "app.features app.lazy_features",
    "the session of a legacy server": (
        "session.session session.machine session.session_state session.timers session.calls session.deadlines"
        " session.delivery session.gate session.get_stream session.cursor session.reconnect_delay"
        " session.oneway session.handshake session.requests"
        " session.response_kind session.faults protocol.backoff"
    ),
    "what is remembered of the host, should the user have to sign in": (
        "provisional provisional.standby provisional.host_state provisional.pending"
        " provisional.provisional_subscriptions"
    ),
}
"""The project's own modules, without `bridge.`, by what they are needed for."""

BY_NAME = {
    "the user's file of servers, and what its members mean": (
        "cli.named_server cli.server_values config.placeholders inventory inventory.command_line"
        " inventory.server_file documents documents.reading"
    ),
}
"""The same, where the server is named instead of its URL; json reads its file."""

BY_REFERENCE = {
    "a secret of the user's, read before anything else": (
        "config.secret_reference process.secret_sources process.user_secrets store.named_secrets"
    ),
    "where it is stored: in a private file, for which no keyring is loaded": (
        "store.disk store.marker store.migration store.locks store.system store.backend store.chunks store.worker"
    ),
}
"""The same, where a header refers to a stored secret."""

OVER_TLS = {
    "what TLS trusts": "remote.tls",
    **({"the system's judgement, in a thread": "remote.system_trust"} if sys.platform in ("win32", "darwin") else {}),
}
"""The same, where the URL is https."""

OTHERS = {
    "h11": "the grammar of HTTP/1.1",
    "msgspec": "JSON, and the shapes of messages",
}
"""Packages that are not the project's, each whole."""

OTHERS_OVER_TLS = {
    "truststore": "what the system trusts: Windows and macOS verify themselves",
}

LATER = {
    "argparse": "click reads what is not plain",
    "asyncio.__main__": "nothing",
    "bz2": "platformdirs brings it",
    "concurrent.futures.thread": "lookups have threads of their own",
    "ctypes": "nothing on POSIX; Windows asks for its handles",
    "difflib": "only to say what was meant",
    "email": "importlib.metadata brings it: only the head of a debug log names versions",
    "encodings.idna": "host names are ASCII by now, and looked up as bytes",
    "gettext": "click brings it",
    "html": "nothing",
    "http": "names of statuses are for errors",
    "importlib.metadata": "only the head of a debug log names versions",
    "json": "only what msgspec refuses needs it",
    "lzma": "platformdirs brings it",
    "multiprocessing": "nothing",
    "random": "only pauses before another try are spread",
    "secrets": "names of drafts, keys of sign-ins",
    "shutil": "platformdirs brings it",
    "tempfile": "platformdirs brings it",
    "unittest": "nothing",
    "urllib.request": "proxies are found without it",
    "xml": "nothing",
    "zipfile": "nothing",
}
"""Modules of the standard library that come later or never, and why they are not needed yet."""

ON_WINDOWS = {"bz2", "ctypes", "lzma", "random", "shutil", "tempfile"}
"""Those that are there on Windows all the same: asyncio brings tempfile with it, and that the others."""

PROBE = textwrap.dedent(
    """
    import sys, threading, socket
    chains = {}

    class Watch:
        def find_spec(self, name, path=None, target=None):
            chain, frame = [], sys._getframe(1)
            while frame is not None:
                module = frame.f_globals.get("__name__", "?")
                if not module.startswith("importlib.") and module != (chain[-1] if chain else ""):
                    chain.append(module)
                frame = frame.f_back
            chains.setdefault(name, " < ".join(chain))
            return None

    def tell(channel):
        channel.recv(1)
        lines = "".join(f"{name}\\t{chains.get(name, '?')}\\n" for name in sorted(sys.modules) if name not in before)
        channel.sendall(lines.encode())
        channel.close()

    channel = socket.create_connection(("127.0.0.1", int(sys.argv.pop(1))))
    threading.Thread(target=tell, args=(channel,), daemon=True).start()
    before = frozenset(sys.modules) - {"socket", "threading"}
    sys.meta_path.insert(0, Watch())
    from bridge.cli.main import main
    main()
    """
)


async def imported(home: Path, url: str, *options: str, variables: dict[str, str] | None = None) -> dict[str, str]:
    """The modules that a run has imported when it has answered `initialize`, each with who brought it."""
    told: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told.put_nowait((reader, writer))

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server, asyncio.timeout(DEADLINE):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PROBE, str(server.sockets[0].getsockname()[1]), url, *options),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment(home, variables),
        )
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(INITIALIZE)
            answer = await process.stdout.readline()
            assert b'"result"' in answer, answer
            reader, writer = await told.get()
            writer.write(b"x")
            lines = (await reader.read()).decode().splitlines()
            writer.close()
        finally:
            process.kill()
            await process.wait()
    return dict(line.partition("\t")[::2] for line in lines)


def own_modules(*tables: dict[str, str]) -> list[str]:
    return [f"bridge.{name}" for table in tables for names in table.values() for name in names.split()]


def strangers(found: dict[str, str], own: list[str], others: set[str]) -> dict[str, str]:
    """What is imported and stands in no table."""
    return {
        name: chain
        for name, chain in found.items()
        if name.partition(".")[0] not in {*others, *sys.stdlib_module_names, "bridge"}
        or (name.startswith("bridge.") and name not in own)
        or any(name == late or name.startswith(f"{late}.") for late in LATER if not _is_windows_own(late))
    }


def _is_windows_own(name: str) -> bool:
    return sys.platform == "win32" and name in ON_WINDOWS


def check(found: dict[str, str], own: list[str], others: set[str]) -> None:
    said = [f"{name} (imported by {chain})" for name, chain in strangers(found, own, others).items()]
    assert not said, "These are on the path of a start, and in no table of this test:\n" + "\n".join(said)
    assert not set(own) - set(found), "These are in a table and not imported any more: take them out."


async def test_what_a_start_over_http_imports(tmp_path: Path) -> None:
    async with FaultServer() as server:
        found = await imported(tmp_path, server.url, *KNOWN)
    check(found, own_modules(OWN), set(OTHERS))
    assert set(OTHERS) <= set(found)


async def test_what_a_start_by_name_imports(tmp_path: Path) -> None:
    async with FaultServer() as server:
        file = write_file(tmp_path, {"mine": {"url": server.url}}, {"protocol": "legacy"})
        found = await imported(tmp_path, "mine", "--config", str(file))
    read = {name for name in found if name == "json" or name.startswith("json.")}
    assert read
    check({name: chain for name, chain in found.items() if name not in read}, own_modules(OWN, BY_NAME), set(OTHERS))


async def test_what_a_start_with_a_secret_in_a_file_imports(tmp_path: Path) -> None:
    async with FaultServer() as server:
        store_secret(environment(tmp_path), "mine", "hunter2-Zq4")
        found = await imported(tmp_path, server.url, *KNOWN, "--header", "X-Key: keyring:mine")
        assert server.seen("initialize")[-1].header("x-key") == "hunter2-Zq4"
    assert not {"keyring", "click", "httpx"} & set(found)
    allowed = set(own_modules(OWN, BY_REFERENCE))
    assert {name for name in found if name.startswith("bridge.")} == allowed


def store_secret(environ: Mapping[str, str], name: str, value: str) -> None:
    """Store a secret as a command would, in a process of the same home."""
    code = "import sys; from bridge.process.user_secrets import save_secret; save_secret(sys.argv[1], sys.stdin.read())"
    subprocess.run([sys.executable, "-c", code, name], env=environ, input=value.encode(), check=True, timeout=DEADLINE)


async def test_what_a_start_over_https_imports(tmp_path: Path) -> None:
    authority = trustme.CA()
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    async with FaultServer(tls=tls) as server:
        found = await imported(tmp_path, server.url, *KNOWN, "--ca-file", str(file))
    check(found, own_modules(OWN, OVER_TLS), set(OTHERS) | (set() if is_read_by_openssl() else set(OTHERS_OVER_TLS)))


def is_read_by_openssl() -> bool:
    """Whether OpenSSL finds by itself what the system trusts: nearly every Linux."""
    paths = ssl.get_default_verify_paths()
    return sys.platform == "linux" and bool(paths.cafile or paths.capath)


def test_one_more_module_is_told_with_who_brings_it() -> None:
    chain = "bridge.session.router < bridge.app.main < __main__"
    found = {"bridge.new": chain, "click.core": chain, "json.decoder": chain, "bridge.old": chain, "queue": chain}
    with pytest.raises(AssertionError) as raised:
        check(found, ["bridge.old"], {"h11"})
    for name in ("bridge.new", "click.core", "json.decoder"):
        assert f"{name} (imported by {chain})" in str(raised.value)
    assert "bridge.old" not in str(raised.value)
    assert "queue" not in str(raised.value)


def test_each_module_stands_in_one_table() -> None:
    own = own_modules(OWN, OVER_TLS, BY_NAME, BY_REFERENCE)
    assert len(own) == len(set(own))
