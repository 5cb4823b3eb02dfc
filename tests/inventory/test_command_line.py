"""Which command lines run the bridge, and with which arguments."""

import pytest

from bridge.inventory.command_line import arguments_of, is_url

URL = "https://mcp.example/mcp"

ITSELF = [
    ["mcp-remote-bridge", URL],
    ["/home/me/.local/bin/mcp-remote-bridge", URL],
    ["C:\\Users\\me\\.local\\bin\\mcp-remote-bridge.exe", URL],
    ["mcp-remote-bridge", "run", URL],
    ["/usr/bin/python3.11", "/home/me/.local/bin/mcp-remote-bridge", URL],
    ["C:\\Python311\\python.exe", "-P", "-m", "bridge", URL],
    ["python", "-m", "bridge", "run", URL],
    ["pypy3", "-m", "bridge", URL],
    ["python", "-X", "utf8", "-Wignore", "-W", "error", "-m", "bridge", URL],
]
BY_ANOTHER = [
    ["uvx", "mcp-remote-bridge", URL],
    ["uvx", "mcp-remote-bridge@1.2.0", URL],
    ["uvx", "--from", "mcp-remote-bridge==1.2", "mcp-remote-bridge", URL],
    ["pipx", "run", "--spec", "mcp-remote-bridge[x]>=1", "mcp-remote-bridge", URL],
    ["cmd", "/c", "mcp-remote-bridge.cmd", URL],
    ["uvx", "--quiet", "mcp-remote-bridge", URL],
    ["uv", "--directory", "/src/mcp-remote-bridge", "run", "mcp-remote-bridge", URL],
    ["env", "A=b", "mcp-remote-bridge", URL],
]
NOT = [
    [],
    ["node", "server.js", URL],
    ["mcp-remote", URL],
    ["mcp-remote-bridge-2", URL],
    ["mcp-remote-bridge", "login", URL],
    ["mcp-remote-bridge", "status"],
    ["mcp-remote-bridge", "config", "check"],
    ["python", "-m", "bridge", "login-process"],
    ["python", "-m", "bridges", URL],
    ["node", "proxy.js", "https://example.com/mcp-remote-bridge", URL],
]


@pytest.mark.parametrize("words", ITSELF)
@pytest.mark.parametrize("is_process", [True, False])
def test_the_bridge_itself_is_found(words: list[str], is_process: bool) -> None:
    assert arguments_of(words, is_process=is_process) == (URL,)


@pytest.mark.parametrize("words", BY_ANOTHER)
def test_another_program_may_run_it_in_a_configuration_but_is_no_copy(words: list[str]) -> None:
    assert arguments_of(words, is_process=False) == (URL,)
    assert arguments_of(words, is_process=True) is None


@pytest.mark.parametrize("words", NOT)
@pytest.mark.parametrize("is_process", [True, False])
def test_what_bridges_nothing_is_not_found(words: list[str], is_process: bool) -> None:
    assert arguments_of(words, is_process=is_process) is None


@pytest.mark.parametrize(
    "words", [["vim", "mcp-remote-bridge"], ["grep", "-r", "mcp-remote-bridge"], ["python", "x.py", "-m", "bridge"]]
)
def test_a_process_that_only_names_it_is_no_copy(words: list[str]) -> None:
    assert arguments_of(words, is_process=True) is None


def test_options_come_along_and_the_url_may_stand_in_a_variable() -> None:
    assert arguments_of(["mcp-remote-bridge", "--profile", "work", URL], is_process=True) == ("--profile", "work", URL)
    assert arguments_of(["mcp-remote-bridge"], is_process=True) == ()


@pytest.mark.parametrize("is_process", [True, False])
def test_a_server_may_be_named(is_process: bool) -> None:
    assert arguments_of(["mcp-remote-bridge", "github"], is_process=is_process) == ("github",)
    assert arguments_of(["mcp-remote-bridge", "run", "status"], is_process=is_process) == ("status",)


@pytest.mark.parametrize(
    "option",
    [("--client-id", "mcp-remote-bridge"), ("--log-file=/x/mcp-remote-bridge",)],
    ids=["two-words", "one-word"],
)
@pytest.mark.parametrize("program", [("mcp-remote-bridge",), ("python", "-P", "-m", "bridge")])
@pytest.mark.parametrize("is_process", [True, False])
def test_the_value_of_an_option_may_be_the_bridges_own_name(
    program: tuple[str, ...], option: tuple[str, ...], is_process: bool
) -> None:
    assert arguments_of([*program, URL, *option], is_process=is_process) == (URL, *option)
    assert arguments_of([*program, *option, URL], is_process=is_process) == (*option, URL)


def test_a_name_with_a_colon_is_no_url() -> None:
    assert is_url(URL)
    assert is_url("HTTP://localhost:1/")
    assert not is_url("linear")
    assert not is_url("localhost:4711")
