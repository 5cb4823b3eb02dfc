"""A setting of a bundle that its user left empty counts as not given."""

import pytest

from bridge.bundle.answers import drop_unanswered


@pytest.mark.parametrize("nothing", ["", "  ", "${user_config.scope}"])
def test_a_setting_without_an_answer_is_removed(nothing: str) -> None:
    environ = {"MCP_BRIDGE_SCOPE": nothing, "MCP_BRIDGE_URL": "https://a/", "OTHER": nothing}
    drop_unanswered(environ)
    assert environ == {"MCP_BRIDGE_URL": "https://a/", "OTHER": nothing}


@pytest.mark.parametrize("nothing", ["", "${user_config.client_secret}"])
def test_a_secret_without_an_answer_is_not_looked_for(nothing: str) -> None:
    environ = {"MCP_BRIDGE_CLIENT_SECRET": "env:MCP_BUNDLE_CLIENT_SECRET", "MCP_BUNDLE_CLIENT_SECRET": nothing}
    drop_unanswered(environ)
    assert environ == {}


def test_a_secret_that_a_variable_of_the_users_holds_is_left_alone() -> None:
    environ = {"MCP_BRIDGE_CLIENT_SECRET": "env:MY_SECRET"}
    drop_unanswered(environ)
    assert environ == {"MCP_BRIDGE_CLIENT_SECRET": "env:MY_SECRET"}


def test_only_headers_with_an_answer_are_sent() -> None:
    environ = {
        "MCP_BRIDGE_HEADER": (
            "X-Team: blue\nA: ${MCP_BUNDLE_HEADER_A}\nB: ${MCP_BUNDLE_HEADER_B}\n${user_config.header}"
        ),
        "MCP_BUNDLE_HEADER_A": "",
        "MCP_BUNDLE_HEADER_B": "b${x}",
    }
    drop_unanswered(environ)
    assert environ == {
        "MCP_BRIDGE_HEADER": "X-Team: blue\nB: ${MCP_BUNDLE_HEADER_B}",
        "MCP_BUNDLE_HEADER_B": "b${x}",
    }
