"""What is known of hosts, and by what name they are known."""

import pytest
from msgspec import Raw

from bridge.protocol import mcp
from bridge.protocol.hosts import UNKNOWN, Host, host_named
from tests.session.modern_playbook import META_CLIENT


@pytest.mark.parametrize(
    "name", ["claude-ai", "codex-mcp-client", "continue-cli-client", "@cline/core", "qwen-cli-mcp-client-linear"]
)
def test_some_never_ask_for_their_lists_again(name: str) -> None:
    assert not host_named(name).lists_again


@pytest.mark.parametrize("name", ["claude-code", "gemini-cli-mcp-client", "opencode", "copilot-cli", "", "codex"])
def test_others_are_taken_to_ask_again(name: str) -> None:
    assert host_named(name).lists_again


@pytest.mark.parametrize("name", ["", "Claude-AI", "claude-ai (via mcp-remote 0.1.29)", "codex", "qwen-cli"])
def test_a_name_that_is_not_exactly_one_of_them_is_not_known(name: str) -> None:
    assert host_named(name) == UNKNOWN


def test_a_host_that_adds_the_entry_to_its_name_is_known() -> None:
    assert host_named("qwen-cli-mcp-client-linear").product == "Qwen Code"


@pytest.mark.parametrize(("patience", "answer_by"), [(2.9, 2.4), (5.0, 4.5), (10.0, 9.0), (30.0, 27.0), (60.0, 57.0)])
def test_a_host_is_answered_a_little_before_its_patience_ends(patience: float, answer_by: float) -> None:
    assert Host("", patience).answer_by == pytest.approx(answer_by)


def test_a_host_whose_patience_is_not_known_has_no_such_time() -> None:
    assert UNKNOWN.answer_by is None


def test_a_host_is_known_by_its_name_and_not_by_its_title() -> None:
    client = b'{"name":"codex-mcp-client","title":"Codex","version":"1"}'
    assert mcp.client_program(Raw(b'{"clientInfo":%b}' % client)) == "codex-mcp-client"
    stamped = b'{"_meta":{"%b":%b}}' % (META_CLIENT.encode(), client)
    assert mcp.stamped_client_program(Raw(stamped)) == "codex-mcp-client"


@pytest.mark.parametrize(
    "params",
    [b"", b"{}", b"[]", b"5", b'{"clientInfo":5,"_meta":5}', b'{"clientInfo":{"name":5}}', b'{"_meta":{"x":1}}', b"{"],
)
def test_a_host_that_gives_no_name_has_none(params: bytes) -> None:
    assert mcp.client_program(Raw(params)) == ""
    assert mcp.stamped_client_program(Raw(params)) == ""
