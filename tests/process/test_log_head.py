"""What a log at debug begins with."""

import logging
import sys
from pathlib import Path

import pytest

from bridge import __version__
from bridge.config import Settings, SignInSettings
from bridge.process.log_head import LIBRARIES, log_head, options_of

SECRET = "pl4nted-s3cret"
URL = "https://example.com/mcp"

FULL = Settings(
    url=URL,
    headers=(("X-Key", SECRET), ("Authorization", f"Bearer {SECRET}")),
    transport="http",
    request_timeout=5.0,
    allow_http=True,
    log_file=Path("/logs/a b.log"),
    retry_window=3.0,
    sign_in=SignInSettings(
        client_id="c",
        client_secret=SECRET,
        scope="read write",
        authorize_params=(("audience", SECRET),),
        answer_within=None,
        profile="work",
    ),
    remarks=(SECRET,),
    notes=(SECRET,),
)


def test_the_options_are_told_as_they_are_typed_without_secrets() -> None:
    assert list(options_of(FULL)) == [
        *("--header X-Key", "--header Authorization", "--transport http", "--request-timeout 5", "--allow-http"),
        f"--log-file '{Path('/logs/a b.log')}'",
        *("MCP_BRIDGE_PATIENCE=3.0", "--client-id c", "--client-secret ***", "--scope 'read write'"),
        *("--authorize-param audience", "--answer-within 0", "--profile work"),
    ]


def test_what_is_as_usual_is_not_told() -> None:
    assert list(options_of(Settings(url=URL))) == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("http://user:pl4nted-s3cret@proxy.example:3128", "proxy: http://proxy.example:3128"),
        ("pl4nted-s3cret://x", "proxy: The proxy in the environment variable HTTPS_PROXY has an unsupported scheme"),
        ("", "proxy: none"),
    ],
)
def test_the_head_names_the_proxy(
    value: str, said: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", value)
    with caplog.at_level(logging.DEBUG, "bridge"):
        log_head(FULL, "a run of the bridge")
    assert any(line.startswith(said) for line in caplog.messages)
    assert SECRET not in "\n".join(caplog.messages)


def test_the_head_has_versions_system_options_and_who_started_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "bridge"):
        log_head(FULL, "a run of the bridge")
    said = "\n".join(caplog.messages)
    assert said.startswith(f"a run of the bridge: mcp-remote-bridge {__version__}, Python {sys.version.split()[0]} ")
    for name in LIBRARIES:
        assert f"{name} " in said
    assert "not installed" not in said
    for begin in ("system: ", f"server: {URL}", "options: --header X-Key", "started by: "):
        assert f"\n{begin}" in said
    assert SECRET not in said


def test_a_log_above_debug_has_no_head(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "bridge"):
        log_head(FULL, "a run of the bridge")
    assert caplog.messages == []
