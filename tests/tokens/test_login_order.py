"""What a login process is told, and what it answers."""

import os
from pathlib import Path

import msgspec
import pytest

from bridge.config import Settings, SignInSettings
from bridge.errors import UsageError
from bridge.remote.credentials import ANONYMOUS, AuthRefusal, Credential
from bridge.tokens.login_order import (
    Busy,
    Ready,
    Unable,
    decode_answer,
    decode_order,
    encode_answer,
    encode_order,
    login_key,
    make_order,
    tokens_key_of,
)
from tests.support.in_process.authorization_harness import URL, record

REFUSAL = AuthRefusal(
    URL, 403, ('Bearer scope="a"',), "said", Credential(3, b"Bearer secret"), ("a",), 1, True, "10.0.0.5"
)
SETTINGS = Settings(
    url=URL,
    headers=(("X-Key", "header-secret"),),
    ca_file=Path("certificates.pem"),
    log_file=Path("a.log"),
    remarks=("a remark",),
    sign_in=SignInSettings(client_id="c", client_secret="client-secret", authorize_params=(("audience", "x"),)),
)


def test_it_comes_through_whole_but_for_what_is_not_needed() -> None:
    order = decode_order(encode_order(make_order(SETTINGS, REFUSAL, record("access", "refresh"), "A Host")))
    assert order.settings.sign_in == SETTINGS.sign_in
    assert order.settings.headers == ()
    assert order.settings.remarks == ()
    assert order.settings.ca_file == Path("certificates.pem").absolute()
    assert order.settings.log_file == Path("a.log").absolute()
    assert order.refusal == REFUSAL._replace(credential=ANONYMOUS)
    assert order.previous is not None
    assert order.previous.issuer == record().issuer
    assert order.host_name == "A Host"


def test_no_secret_is_in_it_that_the_login_does_not_use() -> None:
    line = encode_order(make_order(SETTINGS, REFUSAL, record("access-token", "refresh-token"), ""))
    for secret in (b"access-token", b"refresh-token", b"header-secret", b"Bearer secret"):
        assert secret not in line
    assert line.count(b"\n") == 1


def test_nothing_of_it_shows_in_a_log() -> None:
    assert "secret" not in repr(make_order(SETTINGS, REFUSAL, None, ""))
    assert "beef" not in repr(Ready(1, "beef"))


def test_one_that_was_cut_off_is_none() -> None:
    line = encode_order(make_order(SETTINGS, None, None, ""))
    for bad in (b"", line[:-1], line[: len(line) // 2], line[: len(line) // 2] + b"\n", b"[]\n", b"\xff\n", b"null\n"):
        with pytest.raises(ValueError, match=r".*"):
            decode_order(bad)


@pytest.mark.skipif(os.name != "posix", reason="a file's name is text on Windows")
def test_a_file_s_name_need_not_be_text() -> None:
    log = Path(os.fsdecode(b"/tmp/50% \xff \xc3\xa4.log"))
    order = make_order(msgspec.structs.replace(SETTINGS, log_file=log), None, None, "")
    assert decode_order(encode_order(order)).settings.log_file == log


def test_settings_are_judged_again() -> None:
    line = encode_order(make_order(SETTINGS, None, None, "")).replace(URL.encode(), b"ftp://mcp.example")
    with pytest.raises((UsageError, ValueError)):
        decode_order(line)


@pytest.mark.parametrize("answer", [Ready(4711, "00ff"), Busy(), Unable("It cannot.", "Do this.")])
def test_each_answer_is_one_line(answer: Ready | Busy | Unable) -> None:
    line = encode_answer(answer)
    assert line.count(b"\n") == 1
    assert decode_answer(line) == answer


@pytest.mark.parametrize("line", [b"", b"Traceback", b"{}", b'{"type":"other"}', b'{"type":"ready","port":"1"}'])
def test_anything_else_is_no_answer(line: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        decode_answer(line)


def test_the_login_has_the_slot_of_its_tokens() -> None:
    assert login_key(SETTINGS).partition("-")[2] == tokens_key_of(SETTINGS).partition("-")[2]
    assert login_key(SETTINGS).startswith("login-")
    assert login_key(SETTINGS) != login_key(Settings(url=URL))
