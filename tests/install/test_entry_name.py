"""The name of an entry, from the server's URL."""

import pytest

from bridge.install.entry_name import name_for


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://mcp.linear.app/mcp", "linear"),
        ("https://api.githubcopilot.com/mcp/", "githubcopilot"),
        ("https://mcp.notion.com/mcp", "notion"),
        ("https://api.example.co.uk/", "example"),
        ("https://example.com.", "example"),
        ("https://notes.someone.workers.dev/mcp", "notes"),
        ("https://bindings.mcp.cloudflare.com/sse", "cloudflare"),
        ("https://mcp.dev", "mcp"),
        ("http://localhost:8000/mcp", "localhost"),
        ("http://127.0.0.1:8000/notes/mcp", "notes"),
        ("http://[::1]:8000/mcp", "::1"),
        ("https://mcp/", "mcp"),
    ],
)
def test_a_server_is_called_as_people_call_it(url: str, name: str) -> None:
    assert name_for(url) == name
