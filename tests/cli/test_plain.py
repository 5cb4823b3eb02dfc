"""A plain command line means the same with and without click, and what is not plain is click's alone."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.cli import running
from bridge.cli.option_table import FLAG, OPTIONS
from bridge.cli.plain import read_plain
from bridge.cli.program import run_program
from bridge.cli.settings import settings_of
from bridge.config import Settings
from bridge.errors import BridgeError
from tests.support.waits import stretched

URL = "https://example.com/mcp"

Outcome = tuple[Settings, tuple[str, ...]] | str


def without_click(words: Sequence[str], environ: Mapping[str, str]) -> Outcome | None:
    """The settings, or the error; None where click is to read the words."""
    with patch.dict(os.environ, environ, clear=True):
        plain = read_plain(words, environ)
        if plain is None:
            return None
        try:
            made = settings_of(plain.words, plain.options, environ, secret_in_arguments=plain.secret_in_arguments)
        except BridgeError as error:
            return f"{error.exit_code} {error}"
        return made, made.notes


def with_click(words: Sequence[str], environ: Mapping[str, str]) -> Outcome:
    seen: list[Settings] = []

    def run(settings: Settings) -> int:
        seen.append(settings)
        return 0

    with patch.dict(os.environ, environ, clear=True), patch.object(running, "run", run):
        try:
            run_program(words)
        except SystemExit:
            pass
        except BridgeError as error:
            return f"{error.exit_code} {error}"
    return (seen[0], seen[0].notes) if seen else "another command"


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


TEXTS = (
    *(URL, "http://127.0.0.1:1/", "ftp://example.com", "example.com", "run", "status", "login", "help", "version"),
    *("", " ", "\t", "-", "--", "--help", "-h", "--version", "a b", "é", "\udc80", "\n", "1_0", "٣", "1", "0"),
    *("true", "TRUE", "no", "2.5", "inf", "nan", "-1", "1e3", "auto", "AUTO", "http", "sse", "legacy", "debug", "file"),
    *("A: b", "A:${B}", "A:${NONE}", "X", "Host: x", "a=b", "state=1", "env:B", "env:NONE", "file:/nowhere"),
    *("~", "~nobody-of-this-name/x", "/tmp/x", "none", "https://x.example/doc", "[::1]", "127.0.0.1", "/cb", "cb"),
    *("device-code", "authorization-code", "65536", "4000", "work", "what ever/"),
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
words = st.lists(st.one_of(one_option, one_option, st.just([URL]), texts.map(lambda text: [text])), max_size=4)
variables = st.dictionaries(
    st.sampled_from([*(row.variable for row in OPTIONS), "MCP_BRIDGE_URL", "MCP_BRIDGE_PATIENCE", "MCP_BRIDGE_X"]),
    texts.filter(lambda text: "\udc80" not in text),
    max_size=2,
)


@settings(max_examples=600, deadline=None, derandomize=True)
@given(pieces=words, variables=variables)
def test_both_ways_to_read_words_give_the_same_settings(
    pieces: Sequence[Sequence[str]], variables: Mapping[str, str]
) -> None:
    given_words = [word for piece in pieces for word in piece]
    environ = {"HOME": str(Path.home()), "B": "Bearer b", **variables}
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


def test_a_plain_run_imports_no_click() -> None:
    code = (
        "import sys, types\n"
        "stand_in = types.ModuleType('bridge.app.start')\n"
        "stand_in.run_bridge = lambda settings: 0\n"
        "sys.modules['bridge.app.start'] = stand_in\n"
        "from bridge.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\nfinally:\n    print(*sys.modules)\n"
    )
    command = [sys.executable, "-c", code, "run", URL, "--header", "A: b", "--silent"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=stretched(60))
    loaded = set(done.stdout.split())
    assert "bridge.cli.main" in loaded
    assert not loaded & {"click", "asyncio", "difflib", "gettext"}
