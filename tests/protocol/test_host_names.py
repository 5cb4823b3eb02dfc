"""What hosts are called."""

import json

import pytest
from msgspec import Raw

from bridge.protocol import mcp
from bridge.protocol.host_names import LIBRARIES, PRODUCTS, described, product_name


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


def test_no_name_stands_for_a_product_and_for_a_library() -> None:
    assert not LIBRARIES & PRODUCTS.keys()


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
