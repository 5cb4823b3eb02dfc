"""From words, variables and files to settings; a stand-in takes the place of the bridge itself."""

import os
import re
import sys
import types
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import pytest

from bridge.cli.main import main
from bridge.cli.option_table import OPTIONS
from bridge.cli.program import run
from bridge.cli.settings import unknown_variables
from bridge.config import FeatureSettings, Settings

URL = "https://example.com/mcp"
SECRET = "s3cr3t-value"


class Runner:
    """Runs the command line in this process and keeps the settings that reached the bridge."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.seen: list[Settings] = []
        module = types.ModuleType("bridge.app.start")
        module.__dict__["run_bridge"] = self._run
        monkeypatch.setitem(sys.modules, "bridge.app.start", module)

    def _run(self, settings: Settings) -> int:
        self.seen.append(settings)
        return 7

    def code(self, *words: str, env: Mapping[str, str] | None = None) -> int:
        for name, value in (env or {}).items():
            self._monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert isinstance(ended.value.code, int)
        return ended.value.code

    def settings(self, *words: str, env: Mapping[str, str] | None = None) -> Settings:
        assert self.code(*words, env=env) == 7, "the bridge was not run, or its exit code was lost"
        return self.seen.pop()


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> Runner:
    return Runner(monkeypatch)


@pytest.mark.parametrize(
    "words",
    [
        (URL,),
        ("run", URL),
        ("--header", "A: b", URL),
        (URL, "--header", "A: b"),
        ("--header=A:b", URL),
        ("run", "--header", "A: b", URL),
        ("--silent", "--", URL),
    ],
)
def test_every_way_to_run(words: Sequence[str], runner: Runner) -> None:
    settings = runner.settings(*words)
    assert settings.url == URL
    assert settings.headers == ((("A", "b"),) if len(words) > 1 and "A" in str(words) else ())


def test_defaults(runner: Runner) -> None:
    assert runner.settings(URL) == Settings(url=URL)


ALL = [
    ("--header", "X-A: 1", {"headers": (("X-A", "1"),)}),
    ("--transport", "sse", {"transport": "sse"}),
    ("--transport", "HTTP", {"transport": "http"}),
    ("--protocol", "legacy", {"protocol": "legacy"}),
    ("--protocol", "Modern", {"protocol": "modern"}),
    ("--connect-timeout", "2.5", {"connect_timeout": 2.5}),
    ("--request-timeout", "60", {"request_timeout": 60.0}),
    ("--request-timeout", "0", {"request_timeout": None}),
    ("--ca-file", "ca.pem", {"ca_file": Path("ca.pem")}),
    ("--client-cert", "c.pem", {"client_cert": Path("c.pem")}),
    ("--log-level", "debug", {"log_level": "debug"}),
    ("--log-file", r"C:\Users\A B\log.txt", {"log_file": Path(r"C:\Users\A B\log.txt")}),
    ("--allow-http", None, {"allow_http": True}),
    ("--silent", None, {"silent": True}),
    ("--pass-through", None, {"features": FeatureSettings(pass_through=True)}),
    ("--merge-pages", "on", {"features": FeatureSettings(merge_pages="on")}),
    ("--keep-alive", "15", {"features": FeatureSettings(keep_alive=15.0)}),
    ("--tool-timeout", "600", {"features": FeatureSettings(tool_timeout=600.0)}),
    ("--tool-timeout", "0", {}),
    ("--max-result", "50000", {"features": FeatureSettings(max_result=50_000)}),
]


@pytest.mark.parametrize(("option", "value", "expected"), ALL)
def test_an_option_and_its_variable_mean_the_same(
    option: str, value: str | None, expected: dict[str, object], runner: Runner
) -> None:
    wanted = Settings(url=URL, **expected)  # type: ignore[arg-type]
    assert runner.settings(URL, option, *([value] if value else [])) == wanted
    variable = "MCP_BRIDGE_" + option[2:].replace("-", "_").upper()
    assert runner.settings(URL, env={variable: value or "1"}) == wanted


def test_the_client_key(runner: Runner) -> None:
    settings = runner.settings(URL, "--client-cert", "c.pem", env={"MCP_BRIDGE_CLIENT_CERT_KEY": "k.pem"})
    assert settings.client_cert_key == Path("k.pem")
    assert settings.client_cert == Path("c.pem")


@pytest.mark.parametrize("words", [(), ("run",), ("--silent",)])
def test_the_url_from_its_variable(words: Sequence[str], runner: Runner) -> None:
    assert runner.settings(*words, env={"MCP_BRIDGE_URL": URL}).url == URL


def test_the_command_line_wins_over_variables(runner: Runner) -> None:
    env = {
        "MCP_BRIDGE_URL": "https://other.example/",
        "MCP_BRIDGE_HEADER": "A: env",
        "MCP_BRIDGE_LOG_LEVEL": "error",
        "MCP_BRIDGE_CONNECT_TIMEOUT": "1",
    }
    settings = runner.settings(URL, "--header", "B: line", "--log-level", "debug", "--connect-timeout", "2", env=env)
    assert settings == Settings(url=URL, headers=(("B", "line"),), log_level="debug", connect_timeout=2.0)


@pytest.mark.parametrize("blank", ["", "  "])
def test_an_empty_variable_is_an_unset_one_for_every_option(blank: str, runner: Runner) -> None:
    """Bundles pass one for each setting that the user left empty."""
    env = {row.variable: blank for row in OPTIONS} | {"MCP_BRIDGE_PATIENCE": ""}
    assert len(env) > 30
    assert runner.settings(URL, env=env) == Settings(url=URL)


def test_a_false_variable_leaves_a_flag_off(runner: Runner) -> None:
    assert runner.settings(URL, env={"MCP_BRIDGE_SILENT": "0", "MCP_BRIDGE_ALLOW_HTTP": "false"}) == Settings(url=URL)


def test_headers_in_a_variable_are_one_a_line(runner: Runner) -> None:
    env = {"MCP_BRIDGE_HEADER": "Authorization: Bearer ${TOKEN}\r\n\nX-A: b c\n", "TOKEN": "t"}
    assert runner.settings(URL, env=env).headers == (("Authorization", "Bearer t"), ("X-A", "b c"))


def test_headers_from_options_replace_those_of_the_file(runner: Runner, tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_text("X-A: file\nX-B: file\n")
    settings = runner.settings(URL, "--header-file", str(file), "--header", "x-a:option")
    assert settings.headers == (("X-B", "file"), ("x-a", "option"))


def test_windows_hosts_pass_secrets_without_spaces(runner: Runner) -> None:
    settings = runner.settings(URL, "--header", "Authorization:${AUTH}", env={"AUTH": "Bearer x y"})
    assert settings.headers == (("Authorization", "Bearer x y"),)


def test_windows_arguments_are_taken_as_they_are(
    runner: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Click would expand variables, `~` and wildcards there; the value is expanded once, by its own rule."""
    (tmp_path / "mcpx").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTH", "$HOME*")
    url = "https://h/mcp?"
    monkeypatch.setattr(sys, "argv", ["mcp-remote-bridge", url, "--header", "A:${AUTH}", "--log-file", "mcp?"])
    windows = types.ModuleType("os")
    windows.__dict__.update(os.__dict__, name="nt")
    monkeypatch.setattr("click.core.os", windows)
    with pytest.raises(SystemExit):
        main()
    assert (runner.seen[0].url, runner.seen[0].headers) == (url, (("A", "$HOME*"),))
    assert str(runner.seen[0].log_file) == "mcp?"


OPTIONS_WITH_A_VALUE = sorted(
    param.opts[0] for param in run.params if isinstance(param, click.Option) and not param.is_flag
)


@pytest.mark.parametrize("blank", ["", " "])
def test_an_empty_value_counts_as_not_given_for_every_option(blank: str, runner: Runner) -> None:
    words = [word for option in OPTIONS_WITH_A_VALUE for word in (option, blank)]
    settings = runner.settings(*words, blank, URL)
    assert settings == Settings(url=URL)
    [note] = settings.notes
    assert all(option in note for option in OPTIONS_WITH_A_VALUE)
    assert runner.settings(URL).notes == ()


def test_an_empty_option_leaves_the_variable_and_the_other_values(runner: Runner) -> None:
    settings = runner.settings(URL, "--scope", "", "--header", "", "--header", "A: b", env={"MCP_BRIDGE_SCOPE": "read"})
    assert (settings.sign_in.scope, settings.headers) == ("read", (("A", "b"),))
    assert settings.notes == ("--scope, --header are empty, which counts as not given.",)


def test_a_home_is_found_without_a_shell(runner: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    assert runner.settings(URL, "--log-file", "~/bridge.log").log_file == tmp_path / "bridge.log"


def test_a_variable_that_no_setting_has_is_warned_of_with_the_one_it_is_like(runner: Runner) -> None:
    [remark] = runner.settings(URL, env={"MCP_BRIDGE_PROTOCLO": SECRET}).remarks
    assert "MCP_BRIDGE_PROTOCLO has no effect" in remark
    assert remark.endswith("Did you mean MCP_BRIDGE_PROTOCOL?")
    assert SECRET not in remark


def test_a_variable_like_no_other_is_warned_of_and_an_empty_one_is_not(runner: Runner) -> None:
    [remark] = runner.settings(URL, env={"MCP_BRIDGE_ZZZ": "1", "MCP_BRIDGE_EMPTY": ""}).remarks
    assert "MCP_BRIDGE_ZZZ" in remark
    assert "Did you mean" not in remark


def test_every_variable_that_is_read_anywhere_is_known(runner: Runner) -> None:
    sources = (Path(__file__).resolve().parents[2] / "bridge").rglob("*.py")
    named = {name for path in sources for name in re.findall(r"MCP_BRIDGE_[A-Z_]*[A-Z]", path.read_text("utf-8"))}
    values = dict.fromkeys(named - {"MCP_BRIDGE_TEST"} | {"MCP_BRIDGE_TEST_COMMAND"}, "1")
    assert {"MCP_BRIDGE_TAB_PAUSE", "MCP_BRIDGE_PATIENCE"} <= named
    assert unknown_variables(values) == ()


def test_the_patience_is_a_variable_only(runner: Runner) -> None:
    assert runner.settings(URL, env={"MCP_BRIDGE_PATIENCE": "0.5"}).retry_window == 0.5
    assert runner.code(URL, env={"MCP_BRIDGE_PATIENCE": "soon"}) == 2


USAGE_ERRORS = [
    ((), {}, "No URL was given"),
    (("run",), {}, "No URL was given"),
    (("foo",), {}, "'foo' is neither a URL nor a command"),
    (("rnu",), {}, "Did you mean 'run'?"),
    (("example.com/mcp",), {}, "Did you mean https://example.com/mcp ?"),
    (("example.com",), {}, "Did you mean https://example.com ?"),
    (("localhost:8000/mcp",), {}, "Did you mean http://localhost:8000/mcp ?"),
    (("[::1]:8000/mcp",), {}, "Did you mean http://[::1]:8000/mcp ?"),
    (("ftp://example.com/",), {}, "not ftp"),
    (("http://example.com/",), {}, "--allow-http"),
    ((URL, "--haeder", "A: b"), {}, "--header"),
    ((URL, "--log-levle", "debug"), {}, "--log-level"),
    ((URL, "--header"), {}, "--header"),
    ((URL, "--header", "A: ${NOT_SET_HERE}"), {}, "NOT_SET_HERE"),
    ((URL, "--header-file", "/no-such-file"), {}, "no-such-file"),
    ((URL, "--connect-timeout", "soon"), {}, "--connect-timeout must be a number of seconds"),
    ((URL, "--connect-timeout", "0"), {}, "--connect-timeout must be more than 0"),
    ((URL, "--request-timeout=-1"), {}, "--request-timeout must be 0 seconds or more, not -1"),
    ((URL, "--transport", "ws"), {}, "--transport"),
    ((URL, "--protocol", "2025-11-25"), {}, "--protocol"),
    ((URL, "--protocol", "modern", "--transport", "sse"), {}, "only the legacy protocol"),
    ((URL, "--header", "Mcp-Param-Region: eu"), {}, "The bridge sets the header Mcp-Param-Region itself"),
    ((URL, "--client-cert-key", "k.pem"), {}, "--client-cert"),
    ((URL,), {"MCP_BRIDGE_CONNECT_TIMEOUT": "soon"}, "MCP_BRIDGE_CONNECT_TIMEOUT"),
    ((URL,), {"MCP_BRIDGE_REQUEST_TIMEOUT": "inf"}, "MCP_BRIDGE_REQUEST_TIMEOUT"),
    ((URL,), {"MCP_BRIDGE_TRANSPORT": "ws"}, "MCP_BRIDGE_TRANSPORT"),
    ((URL,), {"MCP_BRIDGE_PROTOCOL": "old"}, "MCP_BRIDGE_PROTOCOL"),
    ((URL,), {"MCP_BRIDGE_LOG_LEVEL": "loud"}, "MCP_BRIDGE_LOG_LEVEL"),
    ((URL,), {"MCP_BRIDGE_ALLOW_HTTP": "maybe"}, "MCP_BRIDGE_ALLOW_HTTP"),
    (
        (),
        {"MCP_BRIDGE_URL": "example.com"},
        "MCP_BRIDGE_URL is not a URL: example.com. Did you mean https://example.com ?",
    ),
    ((), {"MCP_BRIDGE_URL": "foo"}, "MCP_BRIDGE_URL is not a URL: 'foo'. A URL looks like https://"),
    ((), {"MCP_BRIDGE_URL": SECRET}, "MCP_BRIDGE_URL is not a URL. A URL looks like"),
    ((URL, "--answer-within", "-1"), {}, "--answer-within must be 0 seconds or more, not -1"),
    ((URL, "--answer-within", "inf"), {}, "--answer-within must be 0 seconds or more, not inf"),
    # A host broke the argument at its spaces, and the rest of the secret stands alone.
    (("--header", "X-Key:", SECRET, URL), {}, "X-Key has no value"),
    (("--header", "Authorization:", "Bearer", SECRET, URL), {}, "Authorization has no value"),
    ((URL, "--header", "Authorization:"), {}, "write --header 'Authorization:${AUTH}', and"),
    (("--header", "Authorization:Bearer", SECRET, URL), {}, "There are 2 arguments besides the options"),
    ((SECRET,), {}, "neither a URL nor a command"),
    ((f"https://u:{SECRET}@h/",), {}, "user name or password"),
    ((f"example.com/mcp?token={SECRET}",), {}, "not a URL"),
]


@pytest.mark.parametrize(("words", "env", "says"), USAGE_ERRORS)
def test_a_usage_error_is_one_line_on_stderr(
    words: Sequence[str],
    env: dict[str, str],
    says: str,
    runner: Runner,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert runner.code(*words, env=env) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("mcp-remote-bridge: error: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert says in err
    assert SECRET not in err
    assert runner.seen == []
