"""What is known of hosts, and the names that identify them."""

import json

import pytest
from msgspec import Raw

from bridge.protocol import client_meta, mcp
from bridge.protocol.hosts import HOSTS, UNKNOWN, Host, described, host_named, product_name
from tests.session.modern_playbook import META_CLIENT


@pytest.mark.parametrize(
    "name", ["claude-ai", "codex-mcp-client", "continue-cli-client", "@cline/core", "qwen-cli-mcp-client-linear"]
)
def test_some_never_ask_for_their_lists_again(name: str) -> None:
    assert not host_named(name).lists_again


@pytest.mark.parametrize("name", ["claude-code", "gemini-cli-mcp-client", "opencode", "copilot-cli", "", "codex"])
def test_others_are_taken_to_ask_again(name: str) -> None:
    assert host_named(name).lists_again


@pytest.mark.parametrize("name", ["gemini-cli-mcp-client", "codex-mcp-client", "@cline/core", "google-adk"])
def test_some_stop_after_the_first_page_of_a_list(name: str) -> None:
    assert not host_named(name).reads_all_pages


@pytest.mark.parametrize("name", ["claude-code", "opencode", "fastmcp", ""])
def test_others_are_taken_to_read_all_pages(name: str) -> None:
    assert host_named(name).reads_all_pages


@pytest.mark.parametrize(
    ("name", "restarts"),
    [("claude-code", True), ("opencode", True), ("codex-mcp-client", False), ("mcp", None), ("", None)],
)
def test_some_wait_longer_for_a_tool_that_makes_progress(name: str, restarts: bool | None) -> None:
    assert host_named(name).restarts_on_progress is restarts


@pytest.mark.parametrize("name", ["", "claude-ai (via mcp-remote 0.1.29)", "codex", "qwen-cli"])
def test_a_name_that_is_not_exactly_one_of_them_is_not_known(name: str) -> None:
    assert host_named(name) == UNKNOWN


def test_a_host_that_adds_the_entry_to_its_name_is_known() -> None:
    assert host_named("qwen-cli-mcp-client-linear").product == "Qwen Code"


@pytest.mark.parametrize(("patience", "answer_by"), [(2.9, 2.4), (5.0, 4.5), (10.0, 9.0), (30.0, 27.0), (60.0, 57.0)])
def test_a_host_is_answered_a_little_before_its_patience_ends(patience: float, answer_by: float) -> None:
    assert Host("", patience).answer_by == pytest.approx(answer_by)


def test_a_call_is_answered_before_the_host_gives_it_up() -> None:
    assert host_named("google-adk").answer_call_by == pytest.approx(4.5)
    assert host_named("claude-code").answer_call_by is None


def test_a_host_whose_patience_is_not_known_has_no_such_time() -> None:
    assert UNKNOWN.answer_by is None


def test_a_host_is_known_by_its_name_and_not_by_its_title() -> None:
    client = b'{"name":"codex-mcp-client","title":"Codex","version":"1"}'
    assert client_meta.client_program(Raw(b'{"clientInfo":%b}' % client)) == "codex-mcp-client"
    stamped = b'{"_meta":{"%b":%b}}' % (META_CLIENT.encode(), client)
    assert client_meta.meta_client_program(Raw(stamped)) == "codex-mcp-client"
    assert client_meta.asking_program("initialize", Raw(b'{"clientInfo":%b}' % client)) == "codex-mcp-client"
    assert client_meta.asking_program("tools/list", Raw(stamped)) == "codex-mcp-client"


@pytest.mark.parametrize(
    "params",
    [b"", b"{}", b"[]", b"5", b'{"clientInfo":5,"_meta":5}', b'{"clientInfo":{"name":5}}', b'{"_meta":{"x":1}}', b"{"],
)
def test_a_host_that_gives_no_name_has_none(params: bytes) -> None:
    assert client_meta.client_program(Raw(params)) == ""
    assert client_meta.meta_client_program(Raw(params)) == ""


# -- what it is called


@pytest.mark.parametrize(
    ("sent", "product"),
    [
        ("claude-ai", "Claude Desktop"),
        ("claude-code", "Claude Code"),
        ("codex-mcp-client", "Codex"),
        ("cursor-vscode", "Cursor"),
        ("Cursor", "Cursor"),
        ("Visual Studio Code", "Visual Studio Code"),
        ("gemini-cli-mcp-client", "Gemini CLI"),
        ("qwen-cli-mcp-client-example", "Qwen Code"),
        ("Some Host", "Some Host"),
        ("mcp", ""),
        ("", ""),
    ],
)
def test_a_host_is_called_by_its_products_name(sent: str, product: str) -> None:
    assert product_name(sent) == product


def raw(params: object) -> Raw:
    return Raw(json.dumps(params).encode())


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"clientInfo": {"name": "claude-code", "version": "2.1"}}, "claude-code 2.1"),
        ({"_meta": {mcp.META_CLIENT: {"name": "copilot-cli", "version": "1.0"}}}, "copilot-cli 1.0"),
        ({"clientInfo": {"name": "a\nb"}}, "a b"),
        ({"clientInfo": {"name": "x" * 1000, "version": "1"}}, "x" * 117 + "..."),
        ({"clientInfo": 7}, ""),
        ({}, ""),
        ([], ""),
    ],
)
def test_the_log_names_the_host_with_its_version(params: object, says: str) -> None:
    assert described(raw(params)) == says


def test_a_request_without_params_names_no_host() -> None:
    assert described(Raw()) == ""


def test_rows_are_found_whatever_the_case() -> None:
    assert all(name == name.lower() for name in HOSTS)
    assert host_named("Claude-AI") is HOSTS["claude-ai"]
