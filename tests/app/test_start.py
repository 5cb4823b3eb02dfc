"""What is begun while the rest of the program is imported, and that nothing is begun that the settings forbid."""

import asyncio
import socket
import ssl
import sys
import types
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bridge.app import start
from bridge.app.start import EarlyStart, Trust
from bridge.cli.main import main
from bridge.config import Settings
from bridge.errors import UsageError
from bridge.remote import proxy as proxy_module
from bridge.remote.connecting import Route, origin_of
from bridge.remote.proxy import proxy_for
from tests.support.waits import stretched

SECONDS = stretched(20)
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(autouse=True)
def descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' own stdin and stdout are not taken over."""
    monkeypatch.setattr(start, "take_over", lambda: (-1, -1))


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[EarlyStart]:
    """What was begun for each run; a stand-in takes the place of the run itself."""
    seen: list[EarlyStart] = []

    def run(settings: Settings, begun: EarlyStart) -> int:
        seen.append(begun)
        return 0

    module = types.ModuleType("bridge.app.main")
    module.__dict__["run"] = run
    monkeypatch.setitem(sys.modules, "bridge.app.main", module)
    return seen


@pytest.fixture
def hops(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Where connections were begun; none is made."""
    seen: list[tuple[str, int]] = []

    class Connection:
        def __init__(self, host: str, port: int, seconds: float) -> None:
            seen.append((host, port))

        def close(self) -> None:
            pass

    monkeypatch.setattr(start, "EarlyConnection", Connection)
    return seen


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(SECONDS)
        yield server


def exit_code(*words: str) -> object:
    with pytest.raises(SystemExit) as ended:
        main(words)
    return ended.value.code


def test_the_connections_are_begun_to_the_proxy_that_the_system_is_set_to(
    runs: list[EarlyStart], hops: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host with a window passes no variables on."""
    settings = types.ModuleType("_scproxy")
    vars(settings).update(_get_proxies=lambda: {"https": "http://proxy.corp:3128"}, _get_proxy_settings=lambda: None)
    monkeypatch.setitem(sys.modules, "_scproxy", settings)
    monkeypatch.setattr(proxy_module, "sys", types.SimpleNamespace(platform="darwin"))
    assert exit_code("https://mcp.example/mcp") == 0
    assert exit_code("https://localhost/mcp") == 0
    assert hops == [("proxy.corp", 3128)] * 2 + [("localhost", 443)] * 2
    monkeypatch.setenv("NO_PROXY", "*")
    assert exit_code("https://mcp.example/mcp") == 0
    assert [begun.proxy.url if begun.proxy else None for begun in runs] == ["http://proxy.corp:3128", None, None]


@pytest.mark.parametrize("by", ["argument", "variable"])
def test_the_server_is_connected_to_before_the_program_is_loaded(
    by: str, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    peers: list[socket.socket] = []

    def run(settings: Settings, begun: EarlyStart) -> int:
        for connection in begun.connections:
            peers.append(listener.accept()[0])
            sock = asyncio.run(asyncio.wait_for(connection.taken(), SECONDS))
            assert sock is not None
            sock.close()
        return 5

    module = types.ModuleType("bridge.app.main")
    module.__dict__["run"] = run
    monkeypatch.setitem(sys.modules, "bridge.app.main", module)
    if by == "variable":
        monkeypatch.setenv("MCP_BRIDGE_URL", url)
    assert exit_code(*([url] if by == "argument" else [])) == 5
    for peer in peers:
        peer.close()


def test_a_connection_that_the_run_did_not_take_is_closed(listener: socket.socket, runs: list[EarlyStart]) -> None:
    assert exit_code(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp") == 0
    peer, _ = listener.accept()
    with peer:
        peer.settimeout(SECONDS)
        assert peer.recv(1) == b""


def test_the_hosts_pipes_are_taken_over_before_anything_is_begun(
    runs: list[EarlyStart], monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def take_over() -> tuple[int, int]:
        order.append("taken over")
        return (7, 8)

    class Connection:
        def __init__(self, *_: object) -> None:
            order.append("begun")

        def close(self) -> None:
            pass

    monkeypatch.setattr(start, "take_over", take_over)
    monkeypatch.setattr(start, "EarlyConnection", Connection)
    assert exit_code("http://localhost/mcp") == 0
    assert order == ["taken over", "begun", "begun"]
    assert runs[0].descriptors == (7, 8)


def test_a_connection_that_fails_stops_nothing(runs: list[EarlyStart]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert exit_code(f"http://127.0.0.1:{port}/mcp") == 0
    assert len(runs) == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("http://192.0.2.1/mcp",), 2),
        (("https://user:secret@192.0.2.1/mcp",), 2),
        (("ftp://192.0.2.1/mcp",), 2),
        (("https://192.0.2.1/mcp#x",), 2),
        (("https://192.0.2.1/${PATH}",), 2),
        (("https://192.0.2.1/mcp", "--header", "broken"), 2),
        (("https://192.0.2.1/mcp", "--connect-timeout", "0"), 2),
        (("https://192.0.2.1/mcp", "--nonsense"), 2),
        (("https://192.0.2.1/mcp", "https://192.0.2.2/mcp"), 2),
        (("https://192.0.2.1/mcp", "--help"), 0),
        (("client-metadata", "https://192.0.2.1/mcp"), 0),
        (("logout", "https://192.0.2.1/mcp"), None),
    ],
)
def test_what_is_refused_or_no_run_connects_to_nothing(
    words: Sequence[str], code: int | None, hops: list[tuple[str, int]], runs: list[EarlyStart]
) -> None:
    ended = exit_code(*words)
    assert code is None or ended == code
    assert (hops, runs) == ([], [])


def test_a_proxy_that_cannot_be_used_is_told_before_anything_is_connected(
    hops: list[tuple[str, int]],
    runs: list[EarlyStart],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "ftp://192.0.2.1:21")
    assert exit_code("https://example.com/mcp") == 2
    assert "HTTPS_PROXY" in capsys.readouterr().err
    assert (hops, runs) == ([], [])


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("https://example.com/mcp", None),
        ("HTTPS://Example.COM:8443/mcp", None),
        ("http://localhost/mcp", None),
        ("http://[::1]:8080/mcp", None),
        ("https://example.com./mcp", None),
        ("https://bücher.example/mcp", None),
        ("https://example.com/mcp", "http://proxy.example:3128"),
        ("https://example.com/mcp", "proxy.example"),
        ("https://example.com/mcp", "https://user:pass@[::1]"),
        ("https://example.com/mcp", "socks5h://127.0.0.1"),
        ("http://localhost/mcp", "http://proxy.example:3128"),
    ],
)
def test_the_first_hop_is_the_ways(
    url: str, proxy: str | None, hops: list[tuple[str, int]], runs: list[EarlyStart], monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {} if proxy is None else {"ALL_PROXY": proxy}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert exit_code(url) == 0
    assert set(hops) == {Route(origin_of(url), proxy_for(url, environ), None).first_hop}


def test_certificates_are_read_beside_the_rest(runs: list[EarlyStart], hops: list[tuple[str, int]]) -> None:
    assert exit_code("https://example.com/mcp") == 0
    assert exit_code("http://localhost/mcp") == 0
    over_tls, plain = runs
    assert over_tls.trust is not None
    assert isinstance(over_tls.trust.context(), ssl.SSLContext)
    assert plain.trust is None


def test_a_certificate_file_that_cannot_be_used_is_told_by_who_needs_it(tmp_path: Path) -> None:
    trust = Trust(Settings("https://example.com/mcp", ca_file=tmp_path / "none.pem"))
    with pytest.raises(UsageError, match="--ca-file"):
        trust.context()
