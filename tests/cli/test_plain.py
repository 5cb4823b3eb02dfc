"""A plain command line means the same with and without click, and what is not plain is click's alone."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.cli.option_table import FLAG, OPTIONS
from bridge.inventory.server_file import server_file_path
from bridge.tokens.typed_command import forget_command, login_command, quoted
from tests.cli.config_files import with_click, without_click, write_file
from tests.support.examples import multiplied
from tests.support.waits import stretched

URL = "https://example.com/mcp"

PLAIN: list[tuple[Sequence[str], Mapping[str, str]]] = [
    ((URL,), {}),
    (("run", URL), {}),
    ((URL, "--allow-http", "--transport", "http"), {}),
    (("--header", "Authorization:${AUTH}", URL), {"AUTH": "Bearer x"}),
    ((URL, "--header", "A: b", "--header=C: d=e"), {}),
    ((), {"MCP_BRIDGE_URL": URL}),
    (("--silent",), {"MCP_BRIDGE_URL": URL, "MCP_BRIDGE_HEADER": "A: b\r\n\nC: d\n"}),
    ((URL,), {"MCP_BRIDGE_LOG_LEVEL": "debug", "MCP_BRIDGE_ALLOW_HTTP": "1", "MCP_BRIDGE_SILENT": "false"}),
    ((URL,), {"MCP_BRIDGE_SCOPE": "", "MCP_BRIDGE_CLIENT_ID": "me", "MCP_BRIDGE_CLIENT_SECRET": "s3cret"}),
    ((URL, "--client-id", "me", "--client-secret", "s3cret"), {"MCP_BRIDGE_CLIENT_SECRET": "other"}),
    ((URL, "--request-timeout", "0", "--connect-timeout", "2.5", "--callback-port=4000"), {}),
    ((URL, "--ca-file", "~/ca.pem", "--profile", "work"), {"HOME": "/home/user", "USERPROFILE": "/home/user"}),
    ((URL,), {"MCP_BRIDGE_HEADRE": "A: b", "MCP_BRIDGE_PATIENCE": "5"}),
    (("http://example.com/mcp",), {}),
    ((URL, "--header", "no colon"), {}),
    ((URL, "--callback-port", "0"), {}),
    ((URL, "--client-cert-key", "k.pem"), {}),
]

NOT_PLAIN: list[tuple[Sequence[str], Mapping[str, str]]] = [
    ((), {}),
    (("status",), {}),
    (("--help",), {}),
    (("run", "--help"), {}),
    (("example.com",), {}),
    ((URL, URL), {}),
    (("--", URL), {}),
    (("", URL), {}),
    ((URL, "--head", "A: b"), {}),
    ((URL, "--silent", "--profile"), {}),
    ((URL, "--profile", ""), {}),
    ((URL, "--profile="), {}),
    ((URL, "--header", ""), {}),
    ((URL, "--header", "A: b", "--header= "), {}),
    ((URL, "--profile", "--silent"), {}),
    ((URL, "--profile", "a", "--profile", "b"), {}),
    ((URL, "--silent=1"), {}),
    ((URL, "--transport", "HTTP"), {}),
    ((URL, "--transport", "carrier-pigeon"), {}),
    ((URL, "--connect-timeout", "soon"), {}),
    ((URL, "--callback-port", "x"), {}),
    ((URL,), {"MCP_BRIDGE_SILENT": "yes"}),
    ((URL,), {"MCP_BRIDGE_PROFILE": " "}),
    ((URL,), {"MCP_BRIDGE_CONNECT_TIMEOUT": "0"}),
]


@pytest.mark.parametrize(("words", "environ"), PLAIN)
def test_what_a_host_has_in_its_entry_is_read_without_click(words: Sequence[str], environ: Mapping[str, str]) -> None:
    assert without_click(words, environ) == with_click(words, environ)
    assert without_click(words, environ) is not None


@pytest.mark.parametrize(("words", "environ"), NOT_PLAIN)
def test_what_is_not_plain_is_left_to_click(words: Sequence[str], environ: Mapping[str, str]) -> None:
    assert without_click(words, environ) is None


SERVER = {"url": URL, "header": {"A": "${B}"}, "client_id": "me", "client_secret": "${B}", "answer_within": 0}
SERVERS = {
    "mine": {**SERVER, "ca_file": "ca.pem", "login_timeout": 9, "silent": True},
    "status": {"url": "https://status.example/"},
    "refused": {"url": URL, "client_cert_key": "k.pem", "callback_host": "elsewhere"},
    "wrong": {"url": URL, "hedaer": "A: b"},
    "variable": {"url": "https://${HOST:-other.example}/mcp", "scope": "${NONE}"},
}
DEFAULTS = {"profile": "work", "login_timeout": 7, "scope": "a b", "header": ["D: e", "F: g"]}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_file(tmp_path_factory.mktemp("file"), SERVERS, DEFAULTS)


BY_NAME: list[tuple[Sequence[str], Mapping[str, str]]] = [
    (("mine",), {}),
    (("run", "mine"), {}),
    (("--profile", "x", "mine", "--header", "A: b"), {}),
    (("mine",), {"MCP_BRIDGE_LOGIN_TIMEOUT": "5", "MCP_BRIDGE_SILENT": "0", "MCP_BRIDGE_HEADER": "A: b\nC: d"}),
    (("mine", "--client-secret", "s3cret"), {"MCP_BRIDGE_CLIENT_SECRET": "other"}),
    (("mine", "--answer-within", "3"), {"MCP_BRIDGE_CLIENT_SECRET": "other"}),
    (("run", "status"), {}),
    (("mine",), {"MCP_BRIDGE_URL": "https://other.example/"}),
]


@pytest.mark.parametrize(("words", "environ"), BY_NAME)
def test_a_server_of_the_users_file_is_read_without_click(
    words: Sequence[str], environ: Mapping[str, str], file: Path
) -> None:
    environ = {"B": "Bearer b", "MCP_BRIDGE_CONFIG": str(file), **environ}
    outcome = without_click(words, environ)
    assert outcome is not None
    assert not isinstance(outcome, str)
    assert outcome == with_click(words, environ)
    del environ["MCP_BRIDGE_CONFIG"]
    assert without_click([*words, "--config", str(file)], environ) == outcome


@pytest.mark.parametrize(
    ("words", "environ", "in_file", "in_defaults", "seconds"),
    [
        (("--login-timeout", "4"), {"MCP_BRIDGE_LOGIN_TIMEOUT": "3"}, {"login_timeout": 2}, {"login_timeout": 1}, 4),
        ((), {"MCP_BRIDGE_LOGIN_TIMEOUT": "3"}, {"login_timeout": 2}, {"login_timeout": 1}, 3),
        ((), {}, {"login_timeout": 2}, {"login_timeout": 1}, 2),
        ((), {}, {}, {"login_timeout": 1}, 1),
        ((), {}, {}, {}, 300),
    ],
)
def test_the_command_line_comes_first_then_variables_the_server_and_the_defaults(
    words: Sequence[str],
    environ: Mapping[str, str],
    in_file: Mapping[str, object],
    in_defaults: Mapping[str, object],
    seconds: float,
    tmp_path: Path,
) -> None:
    path = write_file(tmp_path, {"mine": {"url": URL, **in_file}}, in_defaults)
    given_words = ("mine", "--config", str(path), *words)
    outcome = without_click(given_words, environ)
    assert isinstance(outcome, tuple)
    assert outcome[0].sign_in.login_timeout == seconds
    assert outcome == with_click(given_words, environ)


def test_a_mistake_in_another_server_does_not_stop_a_run(tmp_path: Path) -> None:
    path = write_file(tmp_path, {"mine": {"url": URL}, "other": {"url": 5}})
    given_words = ("mine", "--config", str(path))
    assert isinstance(without_click(given_words, {}), tuple)
    path.write_text(path.read_text().replace('"url": 5', '"url": 5, "url": 6'))
    assert without_click(given_words, {}) is None
    assert isinstance(with_click(given_words, {}), tuple)
    path.write_text(path.read_text().replace('"mcpServers"', '"default": {}, "mcpServers"'))
    assert "Did you mean defaults?" in str(with_click(given_words, {}))


def test_a_complaint_names_the_file_only_where_the_fault_is_there(file: Path) -> None:
    environ = {"B": "b", "MCP_BRIDGE_CONFIG": str(file)}
    said = with_click(("mine", "--callback-host", "elsewhere"), environ)
    assert str(said).startswith("2 The callback host must be this machine")
    said = with_click(("mine",), environ | {"B": ""})
    assert "config.json:1:" in str(said)
    assert "The header A needs the environment variable B, which is empty." in str(said)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("wrong",), "Did you mean header?"),
        (("variable",), "NONE is needed"),
        (("nothing",), "has no server of that name"),
        (("status",), "another command"),
        (("mine", URL), "There are 2 arguments"),
        (("mine", "--profile", ""), ""),
    ],
)
def test_what_is_wrong_with_a_name_is_left_to_click(words: Sequence[str], says: str, file: Path) -> None:
    environ = {"B": "Bearer b", "MCP_BRIDGE_CONFIG": str(file), "HOME": str(file.parent)}
    assert without_click(words, environ) is None
    if words != ("status",):
        assert says in str(with_click(words, environ))


def test_a_setting_of_a_server_that_is_refused_is_told_with_its_place_without_click(file: Path) -> None:
    environ = {"B": "Bearer b", "MCP_BRIDGE_CONFIG": str(file), "HOME": str(file.parent)}
    said = without_click(("refused",), environ)
    assert said == with_click(("refused",), environ)
    assert "config.json:1:" in str(said)


@pytest.mark.parametrize(
    ("words", "server", "command"),
    [
        (("mine",), {"profile": "work"}, "mine --config FILE"),
        (("mine", "--profile", "work"), {"profile": "work"}, "mine --config FILE"),
        (("mine", "--profile", "other"), {"profile": "work"}, f"{URL} --profile other"),
        (("mine", "--issuer", "https://a.example"), {}, f"{URL} --issuer https://a.example"),
        (("a b",), {}, URL),
        ((URL,), {}, URL),
    ],
)
def test_a_message_says_the_name_where_that_leads_to_the_same_sign_in(
    words: Sequence[str], server: Mapping[str, str], command: str, tmp_path: Path
) -> None:
    path = write_file(tmp_path, {name: {"url": URL, **server} for name in ("mine", "a b")})
    for read in (without_click, with_click):
        outcome = read((*words, "--config", str(path)), {"HOME": str(tmp_path)})
        assert isinstance(outcome, tuple)
        expected = command.replace("FILE", quoted(str(path)))
        assert login_command(outcome[0]) == f"mcp-remote-bridge login {expected}"
    usual = tmp_path / ".config" / "mcp-remote-bridge"
    usual.mkdir(parents=True)
    environ = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / ".config")}
    if server_file_path(None, environ) == write_file(usual, {"mine": {"url": URL}}):
        outcome = without_click(("mine",), environ)
        assert isinstance(outcome, tuple)
        assert login_command(outcome[0]) == "mcp-remote-bridge login mine"
        assert forget_command(outcome[0]) == "mcp-remote-bridge logout mine --registration"


TEXTS = (
    *(URL, "http://127.0.0.1:1/", "ftp://example.com", "example.com", "run", "status", "login", "help", "version"),
    *("", " ", "\t", "-", "--", "--help", "-h", "--version", "a b", "é", "\udc80", "\n", "1_0", "٣", "1", "0"),
    *("true", "TRUE", "no", "2.5", "inf", "nan", "-1", "1e3", "auto", "AUTO", "http", "sse", "legacy", "debug", "file"),
    *(
        "A: b",
        "A: env:B",
        "A: keyring:none",
        "A:${B}",
        "A:${NONE}",
        "X",
        "Host: x",
        "a=b",
        "state=1",
        "env:B",
        "env:NONE",
        "file:/nowhere",
    ),
    *("~", "~nobody-of-this-name/x", "/tmp/x", "none", "https://x.example/doc", "[::1]", "127.0.0.1", "/cb", "cb"),
    *("device-code", "authorization-code", "65536", "4000", "work", "what ever/"),
    *("mine", "refused", "wrong", "variable"),
)
NAMES = tuple(row.name for row in OPTIONS)
VALUES = {row.name: row.choices or TEXTS for row in OPTIONS}

texts = st.sampled_from(TEXTS)
one_option = st.sampled_from(OPTIONS).flatmap(
    lambda row: st.sampled_from(VALUES[row.name]).flatmap(
        lambda text: st.sampled_from(
            [[row.name]] if row.kind == FLAG else [[row.name, text], [f"{row.name}={text}"], [row.name]]
        )
    )
)
target = st.sampled_from([[URL], ["mine"], ["run", "refused"], ["variable"]])
words = st.lists(st.one_of(one_option, one_option, target, texts.map(lambda text: [text])), max_size=4)
variables = st.dictionaries(
    st.sampled_from([*(row.variable for row in OPTIONS), "MCP_BRIDGE_URL", "MCP_BRIDGE_PATIENCE", "MCP_BRIDGE_X"]),
    texts.filter(lambda text: "\udc80" not in text),
    max_size=2,
)


@settings(max_examples=multiplied(600), deadline=None)
@given(pieces=words, variables=variables)
def test_both_ways_to_read_words_give_the_same_settings(
    pieces: Sequence[Sequence[str]], variables: Mapping[str, str], file: Path
) -> None:
    given_words = [word for piece in pieces for word in piece]
    environ = {"HOME": str(Path.home()), "B": "Bearer b", "MCP_BRIDGE_CONFIG": str(file), **variables}
    outcome = without_click(given_words, environ)
    if outcome is not None:
        assert outcome == with_click(given_words, environ)


def test_each_option_is_read_without_click() -> None:
    texts_of = {"file": "f", "integer": "4000", "seconds": "3", "seconds or never": "4", "lines": "A: b=c"}
    for row in OPTIONS:
        text = row.choices[-1] if row.choices else texts_of.get(row.kind, "x")
        for given_words, environ in (
            ((URL, row.name) if row.kind == FLAG else (URL, row.name, text), {}),
            ((URL,), {row.variable: "1" if row.kind == FLAG else text}),
        ):
            outcome = without_click(given_words, environ)
            assert outcome is not None, row.name
            assert outcome == with_click(given_words, environ), row.name


@pytest.mark.parametrize("is_named", [False, True])
def test_a_plain_run_imports_no_click(is_named: bool, tmp_path: Path) -> None:
    file = write_file(tmp_path, {"mine": {"url": URL, "header": {"A": "b"}}})
    code = (
        "import sys, types\n"
        "stand_in = types.ModuleType('bridge.app.start')\n"
        "stand_in.run_bridge = lambda settings: 0\n"
        "sys.modules['bridge.app.start'] = stand_in\n"
        "from bridge.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\nfinally:\n    print(*sys.modules)\n"
    )
    words = ["mine", "--config", str(file)] if is_named else [URL, "--header", "A: b"]
    command = [sys.executable, "-c", code, "run", *words, "--silent"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=stretched(60))
    loaded = set(done.stdout.split())
    assert "bridge.cli.main" in loaded
    assert not loaded & {"click", "asyncio", "difflib", "gettext", "jsonc"}
    named = {"json", "bridge.cli.named_server", "bridge.inventory.server_file"}
    assert loaded & named == (named if is_named else set())
