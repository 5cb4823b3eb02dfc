"""The device authorization grant on paper: what is sent, what is believed, and when it is asked again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.oauth.errors import (
    ClientUnknown,
    GrantRejected,
    MetadataError,
    NeedsChange,
    SignInError,
    SignInRefused,
    TimedOut,
    TokenEndpointUnavailable,
)
from bridge.oauth.grants import DEVICE_CODE
from bridge.oauth.grants.device_code import (
    DeviceCode,
    DevicePoll,
    DeviceRequest,
    Pause,
    device_endpoint,
    device_form,
    device_token_form,
    read_device_code,
)
from bridge.oauth.grants.token_response import Tokens
from tests.oauth.samples import ACCESS_TOKEN, ISSUER, SERVER_URL, client, server

URL = f"{ISSUER}/device"
JSON = "application/json"
SECRET = "planted-device-code"
ANSWER: dict[str, Any] = {
    "device_code": SECRET,
    "user_code": "WDJB-MJHT",
    "verification_uri": f"{ISSUER}/activate",
    "verification_uri_complete": f"{ISSUER}/activate?user_code=WDJB-MJHT",
    "expires_in": 1800,
    "interval": 5,
}
NOW = 1000.0


def request(**changes: Any) -> DeviceRequest:
    made = {"server": server(), "client": client(), "scope": "files:read", "resource": SERVER_URL, **changes}
    return DeviceRequest(**made)


def read(status: int = 200, **changes: Any) -> DeviceCode:
    members = {name: value for name, value in (ANSWER | changes).items() if value is not None}
    return read_device_code(status, JSON, json.dumps(members).encode(), URL)


# -- what is sent


def test_the_endpoint_is_the_metadatas() -> None:
    assert device_endpoint(server(device_authorization_endpoint=URL)) == URL


def test_a_server_without_one_is_named_with_what_to_do() -> None:
    with pytest.raises(SignInError) as refused:
        device_endpoint(server())
    assert ISSUER in refused.value.message
    assert "--grant device-code" in refused.value.message
    assert "device_authorization_endpoint" in refused.value.message
    assert refused.value.hint


def test_the_request_names_scope_and_resource() -> None:
    assert device_form(request()) == {"scope": "files:read", "resource": SERVER_URL}
    assert device_form(request(scope="", resource=None)) == {}


def test_the_token_request_names_the_code_and_the_resource() -> None:
    form = {"grant_type": DEVICE_CODE.value, "device_code": SECRET}
    assert device_token_form(request(), read()) == form | {"resource": SERVER_URL}
    assert device_token_form(request(resource=None), read()) == form


# -- the code


def test_the_answer_is_read() -> None:
    code = read()
    assert code == DeviceCode(
        device_code=SECRET,
        user_code="WDJB-MJHT",
        verification_uri=f"{ISSUER}/activate",
        verification_uri_complete=f"{ISSUER}/activate?user_code=WDJB-MJHT",
        expires_in=1800.0,
        interval=5.0,
    )
    assert code.url == f"{ISSUER}/activate?user_code=WDJB-MJHT"
    assert SECRET not in repr(code)
    assert "WDJB" not in repr(code)


def test_the_page_without_the_code_will_do() -> None:
    assert read(verification_uri_complete=None).url == f"{ISSUER}/activate"


@pytest.mark.parametrize(
    "page",
    ["http://as.example/x", "javascript:alert(1)", "", 7, "https://as.example/ x", "https://u:p@as.example/"],
    ids=["http", "script", "empty", "number", "space", "password"],
)
def test_a_page_that_may_not_be_opened_is_not(page: object) -> None:
    assert read(verification_uri_complete=page).verification_uri_complete == ""
    with pytest.raises(SignInError):
        read(verification_uri=page)


def test_a_page_on_this_machine_and_a_fragment_are_right() -> None:
    assert read(verification_uri="http://127.0.0.1:8080/#/device").verification_uri == "http://127.0.0.1:8080/#/device"


def test_a_page_that_may_not_be_opened_is_the_metadatas_fault() -> None:
    with pytest.raises(MetadataError, match="verification_uri was refused"):
        read(verification_uri="http://as.example/x")


def test_the_name_that_a_draft_had_is_known() -> None:
    code = read(verification_uri=None, verification_url=f"{ISSUER}/old", verification_uri_complete=None)
    assert code.url == f"{ISSUER}/old"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("device_code", None),
        ("device_code", ""),
        ("device_code", 7),
        ("device_code", "x" * 8193),
        ("device_code", "a\nb"),
        ("user_code", None),
        ("user_code", " "),
        ("user_code", "x" * 25),
        ("user_code", "Open evil.example/x!"),
        ("user_code", "a\x1b[31mb"),
        ("user_code", "a\u202eb"),
        ("verification_uri", None),
        ("expires_in", None),
        ("expires_in", 0),
        ("expires_in", -5),
        ("expires_in", "soon"),
        ("expires_in", True),
    ],
    ids=range(17),
)
def test_what_is_missing_or_unusable_is_named(name: str, value: object) -> None:
    changed: dict[str, Any] = {name: value}
    with pytest.raises(SignInError) as refused:
        read(**changed)
    assert f"without a usable {name}" in refused.value.message
    assert URL in refused.value.message
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("fragment", ["a" * 201, "a b", "a\u200bb"])
def test_a_page_whose_fragment_could_hold_a_whole_text_is_refused(fragment: str) -> None:
    with pytest.raises(MetadataError, match=r"verification_uri https://\S+ was refused: its fragment"):
        read(verification_uri=f"{ISSUER}/activate#{fragment}")


@pytest.mark.parametrize(
    ("interval", "taken"),
    [(None, 5.0), (1, 1.0), (0.2, 1.0), (0, 5.0), (-1, 5.0), ("7", 7.0), ("x", 5.0), (1e9, 300.0), (True, 5.0)],
    ids=range(9),
)
def test_the_interval_is_kept_within_reason(interval: object, taken: float) -> None:
    assert read(interval=interval).interval == taken


def test_the_lifetime_is_kept_within_reason() -> None:
    assert read(expires_in=1e12).expires_in == 86400.0


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": "invalid_client"}, ClientUnknown),
        (401, {}, ClientUnknown),
        (400, {"error": "unauthorized_client"}, ClientUnknown),
        (400, {"error": "invalid_scope"}, NeedsChange),
        (404, "<html>", TokenEndpointUnavailable),
        (200, "<html>", TokenEndpointUnavailable),
        (503, {}, TokenEndpointUnavailable),
        (429, {}, TokenEndpointUnavailable),
    ],
    ids=range(8),
)
def test_a_refusal_is_what_it_is_at_the_token_endpoint(status: int, body: object, kind: type[SignInError]) -> None:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    with pytest.raises(SignInError) as refused:
        read_device_code(status, "text/html" if isinstance(body, str) else JSON, data, URL)
    assert type(refused.value) is kind
    assert f"device authorization endpoint {URL}" in refused.value.message


# -- asking for the tokens


def polling(seconds: float = 300.0, **changes: Any) -> DevicePoll:
    return DevicePoll(request(), read(**changes), seconds, NOW)


def answer(poll: DevicePoll, error: str, now: float, status: int = 400, **more: object) -> Tokens | None:
    return poll.answered(status, JSON, json.dumps({"error": error} | more).encode(), now)


def tokens(poll: DevicePoll, now: float) -> Tokens | None:
    return poll.answered(200, JSON, json.dumps({"access_token": ACCESS_TOKEN, "token_type": "Bearer"}).encode(), now)


def test_the_first_request_is_an_interval_away() -> None:
    assert polling().pause(NOW) == Pause(5.0, is_last=False)
    assert polling().pause(NOW + 2) == Pause(3.0, is_last=False)
    assert polling().pause(NOW + 20) == Pause(0.0, is_last=False)


def test_pending_is_asked_again_after_the_interval() -> None:
    poll = polling(interval=2)
    for now in (1002.0, 1004.5, 1007.0):
        assert answer(poll, "authorization_pending", now) is None
        assert poll.pause(now) == Pause(2.0, is_last=False)
    taken = tokens(poll, 1010.0)
    assert taken is not None
    assert taken.access_token == ACCESS_TOKEN


@pytest.mark.parametrize("status", [200, 400, 403, 428, 429])
def test_pending_counts_whatever_the_status(status: int) -> None:
    poll = polling()
    assert answer(poll, "authorization_pending", NOW + 5, status) is None
    assert poll.pause(NOW + 5).seconds == 5.0


def test_slow_down_makes_the_interval_longer_for_good() -> None:
    poll = polling()
    assert answer(poll, "slow_down", NOW) is None
    assert poll.pause(NOW).seconds == 10.0
    assert answer(poll, "authorization_pending", NOW) is None
    assert poll.pause(NOW).seconds == 10.0
    assert answer(poll, "slow_down", NOW) is None
    assert poll.pause(NOW).seconds == 15.0


def test_an_interval_that_slow_down_names_counts_where_it_is_longer() -> None:
    poll = polling()
    answer(poll, "slow_down", NOW, interval=30)
    assert poll.pause(NOW).seconds == 30.0
    answer(poll, "slow_down", NOW, interval=1)
    assert poll.pause(NOW).seconds == 35.0


def test_slow_down_without_end_stays_within_reason() -> None:
    poll = polling(seconds=1e6, expires_in=86400)
    for _ in range(100):
        answer(poll, "slow_down", NOW)
    assert poll.pause(NOW).seconds == 300.0


def test_silence_doubles_the_pause_until_an_answer_comes() -> None:
    poll = polling(seconds=3600)
    paused = []
    for _ in range(6):
        poll.unanswered("No answer.", NOW)
        paused.append(poll.pause(NOW).seconds)
    assert paused == [10.0, 20.0, 40.0, 60.0, 60.0, 60.0]
    answer(poll, "authorization_pending", NOW)
    assert poll.pause(NOW).seconds == 5.0


def test_silence_never_makes_the_pause_shorter_than_the_interval() -> None:
    poll = polling(seconds=3600, interval=100)
    poll.unanswered("No answer.", NOW)
    assert poll.pause(NOW).seconds == 100.0


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [(502, "text/html", b"<html>"), (200, "text/html", b"<html>"), (429, JSON, b"{}"), (500, JSON, b'{"error":"x"}')],
    ids=["gateway", "page", "too-many", "server-error"],
)
def test_an_answer_that_may_pass_is_as_good_as_none(status: int, kind: str, body: bytes) -> None:
    poll = polling()
    assert poll.answered(status, kind, body, NOW) is None
    assert poll.pause(NOW).seconds == 10.0


@pytest.mark.parametrize("error", ["access_denied", "authorization_declined"])
def test_a_refusal_ends_it(error: str) -> None:
    with pytest.raises(SignInRefused) as refused:
        answer(polling(), error, NOW, 403, error_description="The person said no")
    assert refused.value.message == f'{ISSUER} did not grant access; the server said: "{error}: The person said no".'


@pytest.mark.parametrize("error", ["expired_token", "code_expired"])
def test_a_code_that_ended_ends_it(error: str) -> None:
    with pytest.raises(TimedOut, match=r"The sign-in at https://as.example was not finished within 300 seconds\."):
        answer(polling(), error, NOW)


def test_a_code_forgotten_at_its_end_is_one_that_ended() -> None:
    poll = polling(expires_in=60)
    with pytest.raises(TimedOut):
        answer(poll, "invalid_grant", NOW + 58)
    with pytest.raises(GrantRejected):
        answer(poll, "invalid_grant", NOW + 10)


@pytest.mark.parametrize(
    ("error", "kind"),
    [("invalid_client", ClientUnknown), ("unsupported_grant_type", SignInError), ({"code": 1}, SignInError)],
    ids=["client", "grant", "nonsense"],
)
def test_any_other_error_ends_it_too(error: object, kind: type[SignInError]) -> None:
    with pytest.raises(kind):
        polling().answered(400, JSON, json.dumps({"error": error}).encode(), NOW)


# -- the end


@pytest.mark.parametrize(("seconds", "expires_in"), [(60.0, 1800), (1800.0, 60)], ids=["login-timeout", "code"])
def test_there_is_time_until_the_first_of_two_ends(seconds: float, expires_in: int) -> None:
    poll = polling(seconds, expires_in=expires_in)
    assert poll.seconds == 60.0
    assert not poll.pause(NOW + 54).is_last
    answer(poll, "authorization_pending", NOW + 56)
    assert poll.pause(NOW + 56) == Pause(4.0, is_last=True)
    assert poll.pause(NOW + 99) == Pause(0.0, is_last=True)


def test_the_option_is_named_where_it_would_help() -> None:
    assert "--login-timeout" in polling(60).timed_out().hint
    assert "--login-timeout" not in polling(1800, expires_in=60).timed_out().hint


def test_trouble_at_the_end_is_told() -> None:
    poll = polling()
    poll.answered(502, "text/html", b"", NOW)
    told = "The last problem was: The token endpoint https://as.example/token answered status 502."
    assert told in poll.timed_out().message
    answer(poll, "authorization_pending", NOW)
    assert "502" not in poll.timed_out().message
