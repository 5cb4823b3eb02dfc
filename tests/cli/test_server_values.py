"""A server in the user's file means what the same options on the command line mean."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.cli.option_table import FILE, OPTIONS
from bridge.cli.server_values import ROWS, NamedServer, server_of
from bridge.config.feature_settings import PATTERNS
from bridge.inventory.server_file import ServerFile
from tests.cli.config_files import without_click, write_file

URL = "https://example.com/mcp"
SECRET = "pl4nted-s3cret"
HOME = Path("/home/me").absolute()


def read(server: object, defaults: object = None, **environ: str) -> tuple[NamedServer | None, list[str]]:
    """The server, and each mistake as `path: what is wrong`."""
    content = {"mcpServers": {"a": server}, "defaults": {} if defaults is None else defaults}
    file = ServerFile(HOME / "config.json", json.dumps(content), content)
    found, mistakes = server_of(file, "a", environ)
    said = [f"{'.'.join(map(str, one.path))}: {one.message} {one.hint}".rstrip() for one in mistakes]
    assert SECRET not in str(said)
    return found, said


def options(member: str, value: object, **environ: str) -> Any:
    found, said = read({"url": URL, member: value}, **environ)
    assert said == []
    assert found is not None
    return found.options.get(member)


@pytest.mark.parametrize(
    ("member", "value", "read_as"),
    [
        ("profile", "work", "work"),
        ("profile", "${TEAM}-${env:TEAM}", "blue-blue"),
        ("profile", "", None),
        ("profile", "${NONE:-}", None),
        ("transport", "sse", "sse"),
        ("transport", "${NONE:-http}", "http"),
        ("connect_timeout", 2, 2.0),
        ("request_timeout", 0, None),
        ("answer_within", 1.5, 1.5),
        ("callback_port", 4000, 4000),
        ("callback_port", 4000.0, 4000),
        ("allow_http", True, True),
        ("ca_file", "certificates/ca.pem", HOME / "certificates" / "ca.pem"),
        ("ca_file", str(HOME / "ca.pem"), HOME / "ca.pem"),
        ("header", "A: ${TEAM}", ("A: ${TEAM}",)),
        ("header", ["A: b", " ", "C: d"], ("A: b", "C: d")),
        ("header", {"A": "b", "C": "${TEAM}"}, ("A: b", "C: ${TEAM}")),
        ("header", [], None),
        ("header_command", "get-token ${TEAM}", "get-token ${TEAM}"),
        ("header_command", ["get-token", "${TEAM}", "a b"], ("get-token", "${TEAM}", "a b")),
        ("header_command", " ", None),
        ("header_command", [], None),
        ("header", {"A": "keyring:a", "B": " cmd:b c "}, ("A: keyring:a", "B: cmd:b c")),
        ("header", {"A": "file:tokens/a"}, (f"A: file:{HOME / 'tokens' / 'a'}",)),
        ("header", ["A:file:a", "B: file:/b"], (f"A: file:{HOME / 'a'}", f"B: file:{Path(HOME.anchor) / 'b'}")),
        ("header", "A: file: ", ("A: file:",)),
        ("client_secret", "keyring:a", "keyring:a"),
        ("client_secret", "cmd:${TEAM}", "cmd:${TEAM}"),
        ("authorize_param", "audience=${TEAM}", ("audience=blue",)),
        ("authorize_param", ["a=b", "c=d"], ("a=b", "c=d")),
        ("client_secret", "env:NAME", "env:NAME"),
        ("client_secret", "${NAME}", "env:NAME"),
        ("client_secret", "${env:NAME}", "env:NAME"),
        ("client_secret", "x${NAME}", "x${NAME}"),
        ("client_secret", "file:secret", f"file:{HOME / 'secret'}"),
    ],
)
def test_a_member_has_the_value_that_the_command_line_would_give(member: str, value: object, read_as: object) -> None:
    assert options(member, value, TEAM="blue") == read_as


def test_no_limit_is_a_value_and_comes_before_the_defaults() -> None:
    found, said = read({"url": URL, "answer_within": 0, "profile": ""}, {"answer_within": 5, "profile": "work"})
    assert (found and found.options, said) == ({"answer_within": None, "profile": "work"}, [])
    assert found is not None
    assert found.paths == {"answer_within": ("mcpServers", "a", "answer_within"), "profile": ("defaults", "profile")}


def test_a_home_is_found_without_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(HOME))
    assert options("log_file", "~/bridge.log") == HOME / "bridge.log"
    assert options("client_secret", "file:~/secret") == f"file:{HOME / 'secret'}"


def test_the_url_may_have_variables() -> None:
    found, _ = read({"url": "https://${SITE:-example.com}/mcp"})
    assert found is not None
    assert found.url == URL


@pytest.mark.parametrize(
    ("server", "says"),
    [
        ([], "mcpServers.a: A server must be an object, not an array."),
        ({}, 'mcpServers.a: The server has no url. Add "url": "https://...".'),
        ({"url": 5}, "mcpServers.a.url: url must be a string, not a number."),
        ({"url": "example.com"}, "mcpServers.a.url: url is not a URL: example.com. Did you mean https://example.com ?"),
        ({"url": "${SITE}"}, "mcpServers.a.url: The environment variable SITE is needed, and it is not set."),
        ({"url": URL, "client-id": SECRET}, "mcpServers.a.client-id: There is no setting 'client-id'. Did you mean"),
        ({"url": URL, "zzzzzz": SECRET}, "mcpServers.a.zzzzzz: There is no setting 'zzzzzz'. A setting is an option's"),
        ({"url": URL, "config": "x"}, "There is no setting 'config'."),
        ({"url": URL, "transport": "HTTP"}, "transport must be auto or http or sse. Did you mean http?"),
        ({"url": URL, "transport": SECRET}, "transport must be auto or http or sse."),
        ({"url": URL, "silent": 1}, "mcpServers.a.silent: silent must be true or false, not a number."),
        ({"url": URL, "connect_timeout": "5"}, "connect_timeout must be a number, not a string."),
        ({"url": URL, "connect_timeout": True}, "connect_timeout must be a number, not true or false."),
        ({"url": URL, "connect_timeout": 0}, "connect_timeout must be more than 0 seconds, not 0."),
        ({"url": URL, "request_timeout": -1}, "request_timeout must be 0 seconds or more, not -1."),
        ({"url": URL, "callback_port": 1.5}, "callback_port must be a whole number."),
        ({"url": URL, "callback_port": "4000"}, "callback_port must be a number, not a string."),
        ({"url": URL, "ca_file": "~nobody-of-this-name/x"}, "names a home folder that does not exist."),
        ({"url": URL, "ca_file": f"{SECRET}\0"}, "mcpServers.a.ca_file: ca_file has a character that is not allowed"),
        ({"url": URL, "log_file": "\ud800"}, "mcpServers.a.log_file: log_file has a character that is not allowed"),
        ({"url": URL, "header": {"A": "\ud800"}}, "The value of a header has a character that is not allowed there."),
        ({"url": URL, "profile": None}, "mcpServers.a.profile: profile must be a string, not null."),
        ({"url": URL, "header": 5}, "header must be a string, an array of strings, or an object, not a number."),
        ({"url": URL, "header": {"A": [SECRET]}}, "mcpServers.a.header.A: The value of a header must be a string"),
        ({"url": URL, "header": {"A:": SECRET}}, "mcpServers.a.header.A:: The name of a header is empty or has"),
        ({"url": URL, "header": ["A: b", {}]}, "mcpServers.a.header.1: header must be a string, not an object."),
        ({"url": URL, "authorize_param": {}}, "authorize_param must be a string or an array of strings, not an object"),
        ({"url": URL, "profile": "${NONE}"}, "mcpServers.a.profile: The environment variable NONE is needed"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_place(server: object, says: str) -> None:
    _, said = read(server)
    assert len(said) == 1
    assert says in said[0]


def test_defaults_have_no_url_and_are_checked_too() -> None:
    _, said = read({"url": URL}, {"url": URL, "silnet": True})
    assert said[0] == "defaults.url: url cannot be in defaults, because each server has its own."
    assert said[1] == "defaults.silnet: There is no setting 'silnet'. Did you mean silent?"


# -- any settings, written in both forms

texts = {
    "client_id": ["me", "x-1"],
    "client_secret": ["env:SECRET"],
    "client_metadata_url": ["https://app.example/client.json"],
    "issuer": ["https://login.example.com"],
    "client_key_id": ["key-1", "é"],
    "assertion": ["file:/run/token", "bare"],
    "idp_id_token": ["file:/run/token", "bare"],
    "idp_token_endpoint": ["https://idp.example/token", "idp"],
    "idp_client_id": ["bridge"],
    "token_endpoint": ["https://login.example.com/token"],
    "scope": ["read write", "a"],
    "resource": ["none", "https://api.example/"],
    "callback_host": ["localhost", "127.0.0.1", "[::1]", "elsewhere"],
    "callback_path": ["/cb", "no-slash"],
    "profile": ["work", "default"],
    "aws_sigv4": ["bedrock-agentcore/eu-central-1", "no-region"],
    "header_command": ["get-token --for 'my team'", "shell:get-token | head -1"],
}
lines = {"header": ["A: b", "C: ${SECRET}", "no colon", "X:y:z"], "authorize_param": ["a=b", "c=d=e", "state=1"]}
lines |= {key: ["get_*", "[a-z]?", "x" * 1001] for key in PATTERNS}
numbers = {
    "integer": st.integers(0, 70000),
    "seconds": st.integers(1, 500) | st.floats(0.001, 1e9),
    "seconds or never": st.just(0) | st.floats(0.001, 1e9),
}


def written(key: str) -> st.SearchStrategy[tuple[str, list[str], Any]]:
    """A setting: its key, how it is typed, and how it is written in the file."""
    row = ROWS[key]
    if row.kind == "flag":
        return st.just((key, [row.name], True))
    if key in lines:
        several = st.lists(st.sampled_from(lines[key]), min_size=1, max_size=3)
        return several.map(lambda some: (key, [word for text in some for word in (row.name, text)], some))
    if row.kind in numbers:
        return numbers[row.kind].map(lambda number: (key, [row.name, repr(number)], number))
    some = row.choices or ([str(HOME / "x.pem")] if row.kind == FILE else texts[key])
    return st.sampled_from(some).map(lambda text: (key, [row.name, text], text))


settings_written = st.lists(st.sampled_from(sorted(ROWS.keys() - {"header_file"})).flatmap(written), max_size=6)


@given(settings_written, st.booleans())
def test_any_settings_in_the_file_are_those_of_the_command_line(
    tmp_path_factory: pytest.TempPathFactory, some: list[tuple[str, list[str], Any]], is_shared: bool
) -> None:
    unique = {key: (words, value) for key, words, value in some}
    typed = [word for words, _ in unique.values() for word in words]
    members = {key: value for key, (_, value) in unique.items()}
    shared, own = (members, {}) if is_shared else ({}, members)
    path = write_file(tmp_path_factory.mktemp("file"), {"mine": {"url": URL, **own}}, shared)
    environ = {"SECRET": "s3cret", "HOME": str(HOME)}
    by_url = without_click([URL, *typed], environ)
    by_name = without_click(["mine", "--config", str(path)], environ)
    if isinstance(by_url, tuple):
        assert by_name == by_url
    else:  # Settings refuses them, and the place is told.
        assert str(by_name).startswith("2 ")
        assert "config.json:" in str(by_name)


def test_every_option_but_the_name_of_the_file_may_be_in_it() -> None:
    assert {row.key for row in OPTIONS} - ROWS.keys() == {"config"}
    assert set(texts) | set(lines) <= ROWS.keys()
