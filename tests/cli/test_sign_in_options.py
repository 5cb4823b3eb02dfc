"""The options of signing in: from words and variables to settings, and what is warned of."""

from collections.abc import Mapping
from typing import Any

import pytest

from bridge.config import CLIENT_SECRET_VARIABLE, SignInSettings
from tests.cli.test_options import URL, Runner

SECRET = "s3cr3t-value"

CASES: list[tuple[str, str, str, Any]] = [
    ("--client-id", "abc", "client_id", "abc"),
    ("--client-metadata-url", "https://app.example/c.json", "client_metadata_url", "https://app.example/c.json"),
    ("--scope", "a b", "scope", "a b"),
    ("--resource", "https://mcp.example/", "resource", "https://mcp.example/"),
    ("--resource", "none", "resource", "none"),
    ("--callback-port", "33418", "callback_port", 33418),
    ("--callback-host", "127.0.0.1", "callback_host", "127.0.0.1"),
    ("--callback-path", "/cb", "callback_path", "/cb"),
    ("--login-timeout", "1.5", "login_timeout", 1.5),
    ("--token-store", "FILE", "token_store", "file"),
    ("--profile", "work", "profile", "work"),
]


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> Runner:
    return Runner(monkeypatch)


def variable(option: str) -> str:
    return f"MCP_BRIDGE_{option.removeprefix('--').replace('-', '_').upper()}"


def failed(
    runner: Runner, capsys: pytest.CaptureFixture[str], *words: str, env: Mapping[str, str] | None = None
) -> str:
    assert runner.code(URL, *words, env=env) == 2
    out, err = capsys.readouterr()
    assert (out, runner.seen) == ("", [])
    assert err.count("\n") == 1
    assert SECRET not in err
    return err


def test_without_options_everything_is_found_out(runner: Runner) -> None:
    settings = runner.settings(URL)
    assert settings.sign_in == SignInSettings()
    assert settings.signs_in
    assert settings.remarks == ()


@pytest.mark.parametrize(("option", "text", "name", "expected"), CASES)
def test_an_option_and_its_variable_mean_the_same(
    runner: Runner, option: str, text: str, name: str, expected: Any
) -> None:
    assert getattr(runner.settings(option, text, URL).sign_in, name) == expected
    assert getattr(runner.settings(URL, env={variable(option): text}).sign_in, name) == expected


@pytest.mark.parametrize(("option", "text", "name", "expected"), CASES)
def test_the_command_line_wins(runner: Runner, option: str, text: str, name: str, expected: Any) -> None:
    assert getattr(runner.settings(option, text, URL, env={variable(option): "!"}).sign_in, name) == expected


@pytest.mark.parametrize("option", ["--use-id-token", "--allow-private"])
def test_a_flag_is_off_until_it_is_given(runner: Runner, option: str) -> None:
    name = option.removeprefix("--").replace("-", "_")
    assert getattr(runner.settings(URL).sign_in, name) is False
    assert getattr(runner.settings(URL, option).sign_in, name) is True
    assert getattr(runner.settings(URL, env={variable(option): "1"}).sign_in, name) is True
    assert getattr(runner.settings(URL, env={variable(option): "0"}).sign_in, name) is False


@pytest.mark.parametrize("option", ["--client-id", "--client-secret", "--scope", "--resource", "--callback-port"])
def test_an_empty_variable_is_none(runner: Runner, option: str) -> None:
    """Hosts leave a variable empty where the user filled nothing in."""
    assert runner.settings(URL, env={variable(option): ""}).sign_in == SignInSettings()


def test_authorize_parameters_add_up(runner: Runner) -> None:
    words = ("--authorize-param", "prompt=consent", "--authorize-param", "audience=https://api.example/?a=b")
    expected = (("prompt", "consent"), ("audience", "https://api.example/?a=b"))
    assert runner.settings(URL, *words).sign_in.authorize_params == expected
    env = {"MCP_BRIDGE_AUTHORIZE_PARAM": "prompt=consent\r\n\naudience=https://api.example/?a=b\n"}
    assert runner.settings(URL, env=env).sign_in.authorize_params == expected


@pytest.mark.parametrize(
    "parameter", [f"state={SECRET}", f"redirect_uri=https://{SECRET}/", f"Code_Challenge={SECRET}"]
)
def test_a_parameter_of_the_flow_is_refused(runner: Runner, capsys: pytest.CaptureFixture[str], parameter: str) -> None:
    assert "so you cannot set it" in failed(runner, capsys, "--authorize-param", parameter)


# -- the client's secret


def test_a_secret_by_reference_is_no_cause_for_a_warning(runner: Runner, tmp_path: Any) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    for reference in ("env:MY_OWN", f"file:{file}"):
        settings = runner.settings(URL, "--client-id", "c", "--client-secret", reference, env={"MY_OWN": SECRET})
        assert settings.sign_in.client_secret == SECRET
        assert settings.remarks == ()


@pytest.mark.parametrize("text", [SECRET, "env:MY_OWN"])
def test_the_variable_holds_the_secret_or_a_reference_without_a_warning(runner: Runner, text: str) -> None:
    settings = runner.settings(URL, "--client-id", "c", env={CLIENT_SECRET_VARIABLE: text, "MY_OWN": SECRET})
    assert settings.sign_in.client_secret == SECRET
    assert settings.remarks == ()


@pytest.mark.parametrize("words", [("--client-secret", SECRET), (f"--client-secret={SECRET}",)])
def test_a_bare_secret_in_the_arguments_is_taken_and_warned_of(
    runner: Runner, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    settings = runner.settings(URL, "--client-id", "c", *words)
    assert settings.sign_in.client_secret == SECRET
    (warning,) = settings.remarks
    assert "--client-secret" in warning
    assert "env:NAME" in warning
    assert SECRET not in f"{warning} {settings!r} {capsys.readouterr()}"


def test_a_bare_secret_over_a_variable_is_warned_of(runner: Runner) -> None:
    words = (URL, "--client-id", "c", "--client-secret", SECRET)
    settings = runner.settings(*words, env={CLIENT_SECRET_VARIABLE: "another"})
    assert settings.sign_in.client_secret == SECRET
    assert len(settings.remarks) == 1


@pytest.mark.parametrize(
    ("words", "env", "says"),
    [
        (("--client-secret", SECRET), {}, "--client-id"),
        ((), {CLIENT_SECRET_VARIABLE: SECRET}, "--client-id"),
        (("--client-id", "c", "--client-secret", "env:NOT_THERE"), {}, "NOT_THERE"),
        (("--client-id", "c"), {CLIENT_SECRET_VARIABLE: "env:NOT_THERE"}, CLIENT_SECRET_VARIABLE),
        (("--client-id", "c"), {CLIENT_SECRET_VARIABLE: f"{SECRET}\n{SECRET}"}, CLIENT_SECRET_VARIABLE),
        (("--client-id", "c", "--client-secret", "${input:secret}"), {}, "did not replace"),
    ],
)
def test_a_secret_that_is_no_use_is_refused_unseen(
    runner: Runner, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], env: dict[str, str], says: str
) -> None:
    assert says in failed(runner, capsys, *words, env=env)


# -- what is refused, and where it was said


@pytest.mark.parametrize(
    ("option", "text", "says"),
    [
        ("--callback-port", "abc", "--callback-port"),
        ("--callback-port", "70000", "between 1 and 65535"),
        ("--callback-host", "example.com", "callback host"),
        ("--callback-path", "callback", "callback path"),
        ("--login-timeout", "soon", "--login-timeout"),
        ("--login-timeout", "0", "--login-timeout"),
        ("--token-store", "disk", "--token-store"),
        ("--client-metadata-url", "http://app.example/c.json", "https://"),
        ("--resource", "mcp.example", "absolute URI"),
        ("--scope", 'a"b', "scope"),
        ("--profile", "../x", "profile"),
        ("--authorize-param", "prompt", "--authorize-param name=value"),
    ],
)
def test_a_bad_value_is_an_error_of_usage(
    runner: Runner, capsys: pytest.CaptureFixture[str], option: str, text: str, says: str
) -> None:
    assert says in failed(runner, capsys, option, text)


@pytest.mark.parametrize("option", ["--callback-port", "--login-timeout", "--token-store"])
def test_a_bad_variable_is_named(runner: Runner, capsys: pytest.CaptureFixture[str], option: str) -> None:
    assert variable(option) in failed(runner, capsys, env={variable(option): "abc"})


def test_the_users_own_authorization_header_turns_signing_in_off(runner: Runner) -> None:
    assert not runner.settings(URL, "--header", "authorization: Bearer x").signs_in
    assert runner.settings(URL, "--header", "X-Api-Key: x").signs_in
