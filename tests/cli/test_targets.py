"""NAME_OR_URL: the same settings, and the same store key, as the run that is meant."""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bridge.cli.login import login
from bridge.cli.logout import logout
from bridge.cli.targets import Target, host_entries, identity_of, target_of
from bridge.config import Settings, SignInSettings
from bridge.errors import UsageError
from bridge.oauth.record import Record, encode, tokens_key
from bridge.store.choice import open_store
from bridge.tokens.login_order import tokens_key_of
from tests.cli.config_files import write_file
from tests.oauth.samples import client, record

URL = "https://mcp.linear.app/mcp"


class FakeTerminal:
    """A person with files of hosts and stored sign-ins, who types a command."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def configure(self, name: str, *words: str, env: Mapping[str, str] | None = None, host: str = ".cursor") -> None:
        file = self.home / host / ("settings.json" if host == ".gemini" else "mcp.json")
        file.parent.mkdir(exist_ok=True)
        entry = {"command": "mcp-remote-bridge", "args": list(words), "env": dict(env or {})}
        file.write_text(json.dumps({"mcpServers": {name: entry}}))

    def store(self, stored: Record, store_key: str) -> None:
        asyncio.run(open_store("file", pytest.fail).save(store_key, encode(stored)))

    def target(self, *words: str, command: str = "login") -> Target:
        ctx = {"login": login, "logout": logout}[command].make_context(command, list(words))
        options = {name: value for name, value in ctx.params.items() if name not in ("every", "registration")}
        with ctx:
            return target_of(ctx, options.pop("name"), options)

    def refuses(self, *words: str) -> str:
        with pytest.raises(UsageError) as raised:
            self.target(*words)
        return str(raised.value)


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTerminal:
    for name in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "CODEX_HOME"):
        monkeypatch.delenv(name, raising=False)
    return FakeTerminal(tmp_path)


@pytest.mark.parametrize("command", ["login", "logout"])
def test_a_url_is_taken_with_the_options(terminal: FakeTerminal, command: str) -> None:
    words = (URL, "--profile", "work", "--client-id", "c", "--resource", "none")
    target = terminal.target(*words, command=command)
    assert target.settings.url == URL
    assert target.store_key == tokens_key(URL, "c", "none", "work")


def test_an_entry_of_a_host_leads_to_the_slot_of_its_run(terminal: FakeTerminal) -> None:
    words = ("run", URL, "--client-id=c", "--header", "X-Key:${KEY}", "--transport", "http")
    terminal.configure("tasks", *words, env={"MCP_BRIDGE_PROFILE": "work", "KEY": "k", "MCP_BRIDGE_SCOPE": "a b"})
    settings, store_key = terminal.target("tasks")
    assert settings == Settings(
        url=URL,
        transport="http",
        headers=(("X-Key", "k"),),
        sign_in=SignInSettings(client_id="c", profile="work", scope="a b"),
    )
    assert store_key == tokens_key(URL, "c", "", "work") == tokens_key_of(settings)


def test_the_url_of_an_entry_may_stand_in_its_variables(terminal: FakeTerminal) -> None:
    terminal.configure("tasks", env={"MCP_BRIDGE_URL": URL})
    assert terminal.target("tasks").settings.url == URL


def test_what_is_typed_comes_before_the_entry(terminal: FakeTerminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_BRIDGE_PROFILE", "of-the-shell")
    terminal.configure("tasks", URL, "--profile", "work", "--login-timeout", "60")
    assert terminal.target("tasks").settings.sign_in.profile == "work"
    own = terminal.target("tasks", "--profile", "typed", "--no-browser").settings.sign_in
    assert (own.profile, own.no_browser, own.login_timeout) == ("typed", True, 60.0)


def test_one_name_in_two_hosts_is_one_server_where_it_is_the_same_sign_in(terminal: FakeTerminal) -> None:
    terminal.configure("tasks", URL)
    terminal.configure("tasks", "--login-timeout", "9", URL, host=".gemini")
    assert terminal.target("tasks").settings.url == URL
    terminal.configure("tasks", URL, "--profile", "work", host=".gemini")
    said = terminal.refuses("tasks")
    login = "mcp-remote-bridge login tasks --profile"
    assert said.endswith(f"for the one you mean: {login} default (Cursor); {login} work (Gemini CLI).")


def test_of_two_entries_of_a_name_the_one_with_the_typed_options_is_taken_whole(terminal: FakeTerminal) -> None:
    terminal.configure("tasks", URL, "--login-timeout", "7")
    terminal.configure("tasks", URL, "--profile", "work", "--login-timeout", "9", host=".gemini")
    for profile, seconds in (("default", 7.0), ("work", 9.0)):
        own = terminal.target("tasks", "--profile", profile).settings.sign_in
        assert (own.profile, own.login_timeout) == (profile, seconds)


def test_two_entries_that_no_option_tells_apart_are_told_with_their_urls(terminal: FakeTerminal) -> None:
    terminal.configure("tasks", URL, "--profile", "work")
    terminal.configure("tasks", f"{URL}?a=1&b=2", "--profile", "work", host=".gemini")
    said = terminal.refuses("tasks")
    assert f"mcp-remote-bridge login {URL} --profile work (Cursor)" in said
    assert f'mcp-remote-bridge login "{URL}?a=1&b=2" --profile work (Gemini CLI)' in said


def test_an_entry_for_another_program_is_told_as_what_it_is(terminal: FakeTerminal) -> None:
    terminal.configure("mine", URL)
    file = terminal.home / ".cursor" / "mcp.json"
    file.write_text(json.dumps({"mcpServers": {"u": {"url": URL}, "m": {"command": "mcp-remote", "args": [URL]}}}))
    assert "is a server that Cursor connects to directly" in terminal.refuses("u")
    assert "runs mcp-remote, not this bridge" in terminal.refuses("m")
    assert f"mcp-remote-bridge login {URL} ;" in terminal.refuses("m")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("https://", "--nonsense"), "No such option"),
        ((URL, "--header", "X:${PLANTED_MISSING}"), "PLANTED_MISSING"),
        ((URL, "--profile", "!"), "profile"),
        (("http://public.example/mcp",), "--allow-http"),
    ],
    ids=["option", "variable", "profile", "http"],
)
def test_an_entry_that_run_would_refuse_is_refused_with_where_it_stands(
    terminal: FakeTerminal, words: tuple[str, ...], says: str
) -> None:
    terminal.configure("tasks", *words)
    said = terminal.refuses("tasks")
    assert said.startswith("The entry 'tasks' of Cursor cannot be used")
    assert says in said
    assert "mcp.json" in said


@pytest.mark.parametrize("command", ["login", "logout"])
def test_a_stored_sign_in_is_found_by_a_label_of_its_host(terminal: FakeTerminal, command: str) -> None:
    store_key = tokens_key(URL, "c", "", "work")
    terminal.store(record(server=URL, profile="work", client=client(kind="static", client_id="c")), store_key)
    settings, found = terminal.target("linear", command=command)
    assert (settings.url, settings.sign_in.profile, settings.sign_in.client_id) == (URL, "work", "c")
    assert found == store_key


def test_a_stored_sign_in_keeps_its_slot_whatever_made_it(terminal: FakeTerminal) -> None:
    # A server that took no client metadata document: what was given does not stand in the record.
    store_key = tokens_key(URL, "https://app.example/client.json", "", "default")
    terminal.store(record(server=URL), store_key)
    assert terminal.target("linear", command="logout").store_key == store_key


def test_another_profile_of_a_stored_server_may_be_named(terminal: FakeTerminal) -> None:
    terminal.store(record(server=URL), tokens_key(URL, "", "", "default"))
    target = terminal.target("linear", "--profile", "new")
    assert target.settings.sign_in.profile == "new"
    assert target.store_key == tokens_key(URL, "", "", "new")


def test_an_entry_comes_before_a_stored_sign_in(terminal: FakeTerminal) -> None:
    terminal.store(record(server=URL), tokens_key(URL, "", "", "default"))
    terminal.configure("linear", "https://other.example/mcp")
    assert terminal.target("linear").settings.url == "https://other.example/mcp"


def test_a_file_that_may_have_had_the_name_and_cannot_be_read_is_told(terminal: FakeTerminal) -> None:
    terminal.configure("tasks", URL)
    (terminal.home / ".cursor" / "mcp.json").write_text('{"mcpServers": {"tasks": ')
    said = terminal.refuses("tasks")
    assert "The configuration of Cursor cannot be read" in said
    assert "mcp.json" in said


def test_an_unknown_name_is_told_with_what_is_known(terminal: FakeTerminal) -> None:
    terminal.configure("tasks", URL)
    terminal.store(record(server="https://mcp.notion.com/mcp"), tokens_key("x", "", "", "default"))
    said = terminal.refuses("nothing")
    assert "tasks (Cursor)" in said
    assert "mcp.notion.com" in said


def test_an_address_without_its_scheme_is_told_with_it(terminal: FakeTerminal) -> None:
    assert f"Did you mean {URL} ?" in terminal.refuses("mcp.linear.app/mcp")


def test_a_user_without_a_home_has_no_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    assert (host_entries().entries, host_entries().notes) == ((), ())


def test_looking_for_a_name_changes_nothing(terminal: FakeTerminal) -> None:
    terminal.configure("tasks", URL)
    before = sorted(terminal.home.rglob("*"))
    terminal.target("tasks")
    terminal.refuses("nothing")
    assert sorted(terminal.home.rglob("*")) == before


# -- servers of the user's own file


def own_file(terminal: FakeTerminal, servers: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_BRIDGE_CONFIG", str(write_file(terminal.home, servers)))


@pytest.mark.parametrize("command", ["login", "logout"])
def test_a_server_of_the_users_file_comes_first(
    terminal: FakeTerminal, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal.configure("tasks", "https://other.example/mcp")
    own_file(terminal, {"tasks": {"url": URL, "profile": "work", "transport": "http"}}, monkeypatch)
    settings, store_key = terminal.target("tasks", "--client-id", "c", command=command)
    assert settings == Settings(url=URL, transport="http", sign_in=SignInSettings(client_id="c", profile="work"))
    assert store_key == tokens_key(URL, "c", "", "work")
    assert terminal.target("tasks", "--profile", "own", command=command).settings.sign_in.profile == "own"


def test_an_entry_of_a_host_may_name_a_server_of_the_users_file(
    terminal: FakeTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_file(terminal, {"mine": {"url": URL, "profile": "work", "scope": "a"}}, monkeypatch)
    terminal.configure("tasks", "mine", env={"MCP_BRIDGE_SCOPE": "b"})
    own = terminal.target("tasks").settings.sign_in
    assert (own.profile, own.scope) == ("work", "b")
    assert terminal.target("tasks", "--profile", "typed").settings.sign_in.profile == "typed"


def test_a_mistake_in_the_users_file_is_told_with_its_place(
    terminal: FakeTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_file(terminal, {"mine": {"url": URL, "porfile": "work"}, "other": {}}, monkeypatch)
    assert "config.json:1:" in terminal.refuses("mine")
    assert "Did you mean profile?" in terminal.refuses("mine")
    assert "Known names: mine, other" in terminal.refuses("nothing")


def test_a_copy_that_runs_by_name_uses_the_sign_in_of_that_server(tmp_path: Path) -> None:
    file = str(write_file(tmp_path, {"mine": {"url": URL, "profile": "work", "header": "A: ${MISSING}"}}))
    found = identity_of(("mine",), {"MCP_BRIDGE_CONFIG": file})
    assert found == (tokens_key(URL, "", "", "work"), URL, "work")
    assert identity_of(("mine", "--config", file, "--profile", "x"), {}) == (tokens_key(URL, "", "", "x"), URL, "x")
    assert identity_of(("other",), {"MCP_BRIDGE_CONFIG": file}) is None


# -- which sign-in a copy uses


@pytest.mark.parametrize(
    ("words", "environ", "expected"),
    [
        ((URL,), {}, ("", "", "default")),
        (("--profile=work", URL, "--client-id", "c", "--resource", "none"), {}, ("c", "none", "work")),
        ((URL,), {"MCP_BRIDGE_PROFILE": "work", "MCP_BRIDGE_CLIENT_ID": "c"}, ("c", "", "work")),
        ((), {"MCP_BRIDGE_URL": URL}, ("", "", "default")),
        (
            (URL, "--client-metadata-url", "https://a.example/c", "--header", "A:${MISSING}"),
            {},
            ("https://a.example/c", "", "default"),
        ),
        ((URL, "--client-secret", "file:/nowhere", "--client-id", "c"), {}, ("c", "", "default")),
    ],
)
def test_a_copys_words_tell_which_sign_in_it_uses(
    words: tuple[str, ...], environ: dict[str, str], expected: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCP_BRIDGE_PROFILE", "of-this-process")
    found = identity_of(words, environ)
    assert found is not None
    assert (found.server, found.profile) == (URL, expected[2])
    assert found.store_key == tokens_key(URL, *expected)


@pytest.mark.parametrize(
    "words",
    [
        *((), ("--nonsense", URL), ("--callback-port", "x", URL), ("linear",)),
        ("--header", "Authorization:", "Bearer", "planted", URL),
    ],
)
def test_words_that_are_no_runs_tell_nothing(words: tuple[str, ...]) -> None:
    assert identity_of(words, {}) is None


def test_the_command_of_a_secret_runs_once(terminal: FakeTerminal) -> None:
    runs = terminal.home / "runs"
    command = f"cmd:\"{sys.executable}\" -c \"open(r'{runs}', 'a').write('x'); print('s3cret')\""
    terminal.configure("mine", URL, "--header", f"X-Key: {command}")
    assert terminal.target("mine").settings.headers == (("X-Key", "s3cret"),)
    assert runs.read_text() == "x"
