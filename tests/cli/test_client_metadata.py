"""The command `client-metadata`: the document on stdout, and nothing there when it cannot be made."""

import json
from collections.abc import Mapping

import pytest

from bridge.cli.main import main
from bridge.config import CLIENT_SECRET_VARIABLE

URL = "https://app.example/mcp/client.json"


class Command:
    """Runs `client-metadata` in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def run(self, *words: str, env: Mapping[str, str] | None = None) -> tuple[object, str, str]:
        for name, value in (env or {}).items():
            self._monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main(("client-metadata", *words))
        out, err = self._capsys.readouterr()
        return ended.value.code, out, err

    def redirect_uris(self, *words: str, env: Mapping[str, str] | None = None) -> list[str]:
        code, out, err = self.run(*words, env=env)
        assert (code, err) == (0, "")
        made = json.loads(out)["redirect_uris"]
        assert isinstance(made, list)
        return made


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)


def test_the_document_is_printed_alone(command: Command) -> None:
    code, out, err = command.run(URL)
    assert (code, err) == (0, "")
    made = json.loads(out)
    assert out.endswith("}\n")
    assert made["client_id"] == URL
    assert made["client_name"]
    assert made["application_type"] == "native"
    assert made["token_endpoint_auth_method"] == "none"
    assert set(made["grant_types"]) == {"authorization_code", "refresh_token"}


def test_the_redirect_uris_are_those_of_any_port(command: Command) -> None:
    """A loopback redirect URI matches with any port (RFC 8252 7.3)."""
    assert command.redirect_uris(URL) == ["http://localhost/callback", "http://127.0.0.1/callback"]


def test_a_fixed_port_is_named(command: Command) -> None:
    words = ("--callback-port", "33418", "--callback-host", "127.0.0.1", "--callback-path", "/oauth/cb", URL)
    assert command.redirect_uris(*words) == ["http://127.0.0.1:33418/oauth/cb", "http://localhost:33418/oauth/cb"]


def test_the_host_that_will_be_used_comes_first(command: Command) -> None:
    assert command.redirect_uris(URL, "--callback-host", "[::1]")[0] == "http://[::1]/callback"


def test_the_variables_count_as_in_a_run(command: Command) -> None:
    env = {"MCP_BRIDGE_CALLBACK_PORT": "33418", "MCP_BRIDGE_CALLBACK_PATH": "/cb"}
    assert command.redirect_uris(URL, env=env)[0] == "http://localhost:33418/cb"


def test_a_secret_in_the_environment_does_not_show(command: Command) -> None:
    code, out, err = command.run(URL, env={CLIENT_SECRET_VARIABLE: "planted-secret"})
    assert (code, err) == (0, "")
    assert "secret" not in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "URL"),
        (("http://app.example/client.json",), "https://"),
        (("https://app.example",), "path"),
        (("https://app.example/#x",), "fragment"),
        ((URL, "--callback-port", "0"), "between 1 and 65535"),
        ((URL, "--callback-port", "abc"), "--callback-port"),
        ((URL, "--callback-host", "example.com"), "callback host"),
        ((URL, "--callback-path", "/../x"), "callback path"),
        ((URL, "extra"), "client-metadata takes only 1 argument, and 1 more was given"),
    ],
)
def test_a_bad_value_is_one_line_on_stderr(command: Command, words: tuple[str, ...], says: str) -> None:
    code, out, err = command.run(*words)
    assert (code, out) == (2, "")
    assert err.startswith("mcp-remote-bridge: error: ")
    assert err.count("\n") == 1
    assert says in err


def test_a_bad_variable_is_named(command: Command) -> None:
    code, out, err = command.run(URL, env={"MCP_BRIDGE_CALLBACK_PORT": "abc"})
    assert (code, out) == (2, "")
    assert "MCP_BRIDGE_CALLBACK_PORT" in err


def test_help_says_what_to_do_with_the_document(command: Command) -> None:
    code, out, err = command.run("--help")
    assert (code, err) == (0, "")
    assert "--client-metadata-url" in out
