"""The schema of the file of servers: what the code says, and what it lets pass is what the program reads."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bridge.cli.config_check import all_mistakes
from bridge.cli.config_schema import schema_text
from bridge.inventory.server_file import ServerFile
from scripts.config_schema import COMMAND, PAGE, SETTINGS_PAGE, settings_page

URL = "https://example.com/mcp"

VALID: list[dict[str, Any]] = [
    {},
    {"$schema": "x", "defaults": {}, "mcpServers": {}},
    {"mcpServers": {"a": {"url": URL}}},
    {"mcpServers": {"a": {"url": "https://${SITE:-example.com}/mcp"}}},
    {"mcpServers": {"a": {"url": "${SITE:-https://example.com/mcp}"}}},
    {"mcpServers": {"a": {"url": URL, "header": "A: b"}}},
    {"mcpServers": {"a": {"url": URL, "header": ["A: b", "C: d"], "authorize_param": "a=b"}}},
    {"mcpServers": {"a": {"url": URL, "header": {"A": "b"}, "authorize_param": ["a=b"]}}},
    {"mcpServers": {"a": {"url": URL, "transport": "http", "protocol": "${ERA:-legacy}"}}},
    {"mcpServers": {"a": {"url": URL, "connect_timeout": 0.5, "request_timeout": 0, "callback_port": 4000}}},
    {"mcpServers": {"a": {"url": URL, "client_id": "me", "client_secret": "${HOME}", "issuer": "https://as.example"}}},
    {"defaults": {"silent": True, "profile": "work"}, "mcpServers": {"run": {"url": URL, "silent": False}}},
]

MISTAKES: list[object] = [
    [],
    {"servers": {}},
    {"mcpServers": []},
    {"defaults": {"url": URL}},
    {"defaults": {"silent": "true"}},
    {"mcpServers": {"a": {}}},
    {"mcpServers": {"a": {"url": "example.com"}}},
    {"mcpServers": {"a": {"url": 5}}},
    {"mcpServers": {"a": {"url": URL, "client-id": "me"}}},
    {"mcpServers": {"a": {"url": URL, "config": "x"}}},
    {"mcpServers": {"a": {"url": URL, "transport": "HTTP"}}},
    {"mcpServers": {"a": {"url": URL, "silent": 1}}},
    {"mcpServers": {"a": {"url": URL, "connect_timeout": 0}}},
    {"mcpServers": {"a": {"url": URL, "connect_timeout": "5"}}},
    {"mcpServers": {"a": {"url": URL, "request_timeout": -1}}},
    {"mcpServers": {"a": {"url": URL, "callback_port": 70000}}},
    {"mcpServers": {"a": {"url": URL, "callback_port": 1.5}}},
    {"mcpServers": {"a": {"url": URL, "header": 5}}},
    {"mcpServers": {"a": {"url": URL, "header": {"A": 5}}}},
    {"mcpServers": {"a": {"url": URL, "header": [5]}}},
    {"mcpServers": {"a": {"url": URL, "authorize_param": {"a": "b"}}}},
    {"mcpServers": {"a": {"url": URL, "profile": None}}},
    {"mcpServers": {" ": {"url": URL}}},
    {"mcpServers": {"-x": {"url": URL}}},
    {"mcpServers": {URL: {"url": URL}}},
]


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = json.loads(PAGE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def mistakes(content: object) -> list[Any]:
    file = ServerFile(Path("/home/me/config.json").absolute(), json.dumps(content), content)
    return all_mistakes(file, {"HOME": "/home/me"})


def test_the_file_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == schema_text(), f"docs/config.schema.json is old. Run: {COMMAND}"


def test_the_table_of_settings_is_what_the_schema_says() -> None:
    page = SETTINGS_PAGE.read_text(encoding="utf-8")
    assert page == settings_page(), f"docs/configuration.md is old. Run: {COMMAND}"
    assert "| `silent` | `true` or `false` |" in page
    assert "| `header` | a string or an array of strings or an object of names and values |" in page
    assert "| `transport` | `auto`, `http`, `sse` |" in page


@pytest.mark.parametrize("content", VALID)
def test_what_the_program_takes_is_valid(content: object, validator: Any) -> None:
    assert mistakes(content) == []
    assert validator.is_valid(content)


@pytest.mark.parametrize("content", MISTAKES)
def test_what_the_program_refuses_is_not(content: object, validator: Any) -> None:
    assert mistakes(content) != []
    assert not validator.is_valid(content)


def test_the_example_of_the_documentation_is_valid(validator: Any) -> None:
    import jsonc

    page = (PAGE.parent / "configuration.md").read_text(encoding="utf-8")
    [example] = [part.partition("```")[0] for part in page.split("```jsonc\n")[1:]]
    assert list(validator.iter_errors(jsonc.loads(example))) == []
