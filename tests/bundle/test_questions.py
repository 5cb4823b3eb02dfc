"""What the user of a bundle is asked, and which variables get the answers."""

import pytest

from bridge.bundle.questions import Question, asked_twice, environment_of, header_question

CLIENT_ID = Question("client_id", "Client ID", "The client.", "MCP_BRIDGE_CLIENT_ID")
CLIENT_SECRET = Question("client_secret", "Secret", "The secret.", "MCP_BRIDGE_CLIENT_SECRET", is_secret=True)


def test_an_answer_is_the_value_of_the_variable() -> None:
    assert environment_of({"MCP_BRIDGE_URL": "https://a/"}, [CLIENT_ID]) == {
        "MCP_BRIDGE_URL": "https://a/",
        "MCP_BRIDGE_CLIENT_ID": "${user_config.client_id}",
    }


def test_a_secret_answer_has_a_variable_of_its_own() -> None:
    assert environment_of({}, [CLIENT_SECRET]) == {
        "MCP_BRIDGE_CLIENT_SECRET": "env:MCP_BUNDLE_CLIENT_SECRET",
        "MCP_BUNDLE_CLIENT_SECRET": "${user_config.client_secret}",
    }


def test_headers_that_are_asked_for_are_added_to_the_fixed_ones() -> None:
    whole_line = Question("header", "Header", "Any.", "MCP_BRIDGE_HEADER", is_secret=True)
    asked = [header_question("X-Api-Key", is_required=True), whole_line]
    assert environment_of({"MCP_BRIDGE_HEADER": "X-Team: blue"}, asked) == {
        "MCP_BRIDGE_HEADER": "X-Team: blue\nX-Api-Key: ${MCP_BUNDLE_HEADER_X_API_KEY}\n${user_config.header}",
        "MCP_BUNDLE_HEADER_X_API_KEY": "${user_config.header_x_api_key}",
    }


@pytest.mark.parametrize("is_required", [True, False])
def test_the_host_is_told_what_is_secret_and_what_is_required(is_required: bool) -> None:
    assert header_question("A", is_required=is_required).user_config() == {
        "type": "string",
        "title": "A",
        "description": "The value of the header A, which is sent with every request.",
        "sensitive": True,
        "required": is_required,
    }
    assert "sensitive" not in CLIENT_ID.user_config()


def test_a_box_to_tick_is_empty_at_first() -> None:
    assert Question("silent", "Silent", "Quiet.", "MCP_BRIDGE_SILENT", type="boolean").user_config()["default"] is False


def test_the_same_question_twice_is_found() -> None:
    assert asked_twice([CLIENT_ID, CLIENT_SECRET]) == ""
    assert asked_twice([header_question("X-A", is_required=True), header_question("x-a", is_required=False)]) == (
        "header_x_a"
    )
