"""The commands that a message tells the user to type are commands, with all that the sign-in needs."""

import shlex

import pytest

from bridge.cli.login import login
from bridge.config import Settings, SignInSettings
from bridge.tokens.typed_command import LOGIN, login_command

URL = "https://mcp.example/mcp?team=a&tools=b"


@pytest.mark.parametrize(
    "own",
    [
        {},
        {"profile": "work", "resource": "none", "scope": "a b"},
        {"client_id": "mine", "client_secret": "s", "client_secret_source": "keyring:example", "callback_port": 8123},
        {"client_id": "mine", "client_secret": "s", "client_secret_source": "cmd:get 'my secret'"},
        {"callback_host": "127.0.0.1", "callback_path": "/oauth/back", "grant": "device-code"},
    ],
)
def test_what_is_shown_is_parsed_as_the_settings_that_it_came_from(own: dict[str, object]) -> None:
    command = login_command(Settings(url=URL, sign_in=SignInSettings(**own)), "read write")  # type: ignore[arg-type]
    assert command.startswith(LOGIN)
    words = shlex.split(command)[2:]
    given = login.make_context("login", words).params
    assert given["name"] == URL
    assert given["scope"] == "read write"
    for name, value in own.items():
        if name not in {"client_secret", "client_secret_source", "scope"}:
            assert given[name] == value
    assert given["client_secret"] == own.get("client_secret_source")
    assert "--client-secret s" not in command


def test_the_scope_of_the_settings_is_typed_where_no_other_is_wanted() -> None:
    command = login_command(Settings(url=URL, sign_in=SignInSettings(scope="a b")))
    assert command == f'{LOGIN} "{URL}" --scope "a b"'
