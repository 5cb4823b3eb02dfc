"""No secret and no file of this machine gets into a bundle; what the user is asked follows from the options."""

import pytest

from bridge.bundle.questions import URL_VARIABLE
from bridge.cli.bundle_content import fixed_variables, name_of, questions_of
from bridge.cli.option_table import FILE, OPTIONS
from bridge.errors import UsageError

SECRET = "pl4nted-s3cret"
URL = "https://example.com/mcp"


def test_options_become_variables_as_the_bridge_reads_them() -> None:
    options = {
        "header": ("X-Team: blue", "A: ${HOME}"),
        "scope": "read write",
        "allow_http": True,
        "connect_timeout": 2.5,
        "request_timeout": None,
        "callback_port": 4000,
        "client_secret": "env:NAME",
    }
    assert fixed_variables(URL, options) == {
        URL_VARIABLE: URL,
        "MCP_BRIDGE_HEADER": "X-Team: blue\nA: ${HOME}",
        "MCP_BRIDGE_SCOPE": "read write",
        "MCP_BRIDGE_ALLOW_HTTP": "1",
        "MCP_BRIDGE_CONNECT_TIMEOUT": "2.5",
        "MCP_BRIDGE_REQUEST_TIMEOUT": "0",
        "MCP_BRIDGE_CALLBACK_PORT": "4000",
        "MCP_BRIDGE_CLIENT_SECRET": "env:NAME",
    }


@pytest.mark.parametrize(
    ("options", "do"),
    [
        ({"client_secret": SECRET}, "--ask client-secret"),
        ({"header_command": f"tool --token {SECRET}"}, "--ask header-command"),
        ({"header": (f"Authorization: {SECRET}",)}, "--ask 'header:Authorization'"),
        ({"header": (f"x-api-key:{SECRET}",)}, "--ask 'header:x-api-key'"),
        ({"header": (f"X-Any: Bearer {SECRET}",)}, "--ask 'header:X-Any'"),
        ({"header": ("X-Any: ghp_0123456789abcdefghij",)}, "--ask 'header:X-Any'"),
        ({"authorize_param": (f"login_token={SECRET}",)}, "--ask authorize-param"),
    ],
)
def test_a_secret_is_refused_with_the_question_that_takes_its_place(options: dict[str, object], do: str) -> None:
    with pytest.raises(UsageError) as said:
        fixed_variables(URL, options)
    assert "everyone who gets" in str(said.value)
    assert str(said.value).endswith(f"Let the bundle ask for it: {do}.")
    assert SECRET not in str(said.value)
    assert "ghp_" not in str(said.value)
    words = do.removeprefix("--ask ").strip("'")
    assert questions_of([words], [])


def test_a_url_with_a_secret_is_refused() -> None:
    with pytest.raises(UsageError, match="Leave the URL out") as said:
        fixed_variables(f"{URL}?api_key={SECRET}", {})
    assert SECRET not in str(said.value)


@pytest.mark.parametrize("row", [row for row in OPTIONS if row.kind == FILE and row.name != "--config"])
def test_a_file_of_this_machine_is_refused(row: object) -> None:
    name, key = row.name, row.key  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match=f"{name} names a file on this machine"):
        fixed_variables(URL, {key: "/etc/x.pem"})


@pytest.mark.parametrize(
    ("url", "options"),
    [("ftp://example.com/", {}), (URL, {"header": ("no-colon",)}), (URL, {"callback_path": "x"})],
)
def test_what_a_run_would_refuse_is_refused(url: str, options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        fixed_variables(url, options)


def test_each_question_has_the_type_of_its_option() -> None:
    asked = questions_of(["url", "header:X-Key", "client-id"], ["client-secret", "callback-port", "silent", "ca-file"])
    assert [(one.key, one.title, one.type, one.is_secret, one.is_required) for one in asked] == [
        ("url", "URL", "string", False, True),
        ("header_x_key", "X-Key", "string", True, True),
        ("client_id", "Client ID", "string", False, True),
        ("client_secret", "Client secret", "string", True, False),
        ("callback_port", "Callback port", "number", False, False),
        ("silent", "Silent", "boolean", False, False),
        ("ca_file", "CA file", "file", False, False),
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["password"], "something that a bundle cannot ask for"),
        (["config"], "something that a bundle cannot ask for"),
        (["header:"], "Name: value"),
        (["header:Host"], "sets the header Host itself"),
        (["scope", "scope"], "asks for scope twice"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(words: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        questions_of(words, [])


def test_a_bundle_is_named_by_its_host() -> None:
    names = [name_of(url) for url in ("https://MCP.Example.com:8443/x", "https://[::1]/", "")]
    assert names == ["mcp-example-com", "1", "mcp-remote-bridge"]
