"""What a child gets of the environment, and how it is known which variables hold secrets."""

import pytest

from bridge.cli.settings import settings_of
from bridge.config import NotedEnvironment, child_environment

URL = "https://mcp.example/mcp"


@pytest.mark.parametrize(
    ("secret", "kept"),
    [
        ((), {"PATH", "KEY", "key2", "HTTPS_PROXY"}),
        (("KEY",), {"PATH", "key2", "HTTPS_PROXY"}),
        (("KEY2", "NOT_THERE"), {"PATH", "KEY", "HTTPS_PROXY"}),
        (("PATH", "KEY"), {"PATH", "key2", "HTTPS_PROXY"}),
    ],
)
def test_a_child_gets_neither_our_variables_nor_those_that_hold_secrets(
    secret: tuple[str, ...], kept: set[str]
) -> None:
    environ = dict.fromkeys(("PATH", "KEY", "key2", "HTTPS_PROXY", "MCP_BRIDGE_CLIENT_SECRET", "mcp_bridge_x"), "v")
    assert child_environment(environ, secret).keys() == kept


def test_what_was_read_is_noted_and_nothing_else() -> None:
    noted = NotedEnvironment({"A": "1", "B": "2", "C": "3"})
    assert (noted["A"], noted.get("B"), noted.get("D")) == ("1", "2", None)
    assert list(noted.read) == ["A", "B"]
    assert dict(noted) == {"A": "1", "B": "2", "C": "3"}


def test_settings_know_the_variables_that_their_secrets_came_from() -> None:
    environ = {"AUTH": "Bearer x", "KEY": "y", "SECRET": "z", "OTHER": "o"}
    options = {"header": ("Authorization: ${AUTH}", "X: ${env:KEY}"), "client_id": "i", "client_secret": "env:SECRET"}
    settings = settings_of([URL], options, environ)
    assert set(settings.secret_variables) == {"AUTH", "KEY", "SECRET"}
    assert settings_of([URL], {"header": ("X: plain",)}, environ).secret_variables == ()
