"""Callbacks: only this sign-in's answer counts, its issuer is compared, and what is shown is fit to be shown."""

from urllib.parse import urlencode

import pytest

from bridge.oauth.callback import Denied, Granted, IssuerMismatch, read_callback

ISSUER = "https://as.example/tenant"
STATE = "the-state-of-this-sign-in"

Answer = Granted | Denied | IssuerMismatch | None


def judge(query: str, *, iss_supported: bool = False) -> Answer:
    return read_callback(query, state=STATE, issuer=ISSUER, iss_supported=iss_supported)


def answer(*, iss_supported: bool = False, **parameters: str) -> Answer:
    return judge(urlencode({"state": STATE, **parameters}), iss_supported=iss_supported)


def test_a_code() -> None:
    assert answer(code="SplxlOBeZQQYbYS6WxSbIA") == Granted("SplxlOBeZQQYbYS6WxSbIA")
    assert answer(code="4/0Ab_c=&+%", session_state="x", hd="y") == Granted("4/0Ab_c=&+%")
    assert answer(code="c" * 4096) == Granted("c" * 4096)


def test_a_code_with_a_space_is_one_for_the_token_endpoint_to_judge() -> None:
    # RFC 6749, appendix A.11.
    assert judge(f"state={STATE}&code=a+b") == Granted("a b")


def test_a_code_is_not_in_a_repr() -> None:
    assert "planted" not in repr(answer(code="planted"))


def test_an_error() -> None:
    assert answer(error="access_denied") == Denied("access_denied")
    assert answer(
        error="access_denied", error_description="No, thank you.", error_uri="https://as.example/help?x=1"
    ) == Denied("access_denied", "No, thank you.", "https://as.example/help?x=1")


def test_an_error_goes_before_a_code() -> None:
    assert answer(error="access_denied", code="c") == Denied("access_denied")


def test_parameters_without_a_value_count_as_left_out() -> None:
    # RFC 6749, 3.1.
    assert answer(code="c", error="", error_description="", iss="") == Granted("c")
    assert answer(code="c", iss="", iss_supported=True) == IssuerMismatch(ISSUER, None)


def test_what_is_said_is_fit_to_be_shown() -> None:
    denied = answer(
        error="bad\r\n\x1b[31m",
        error_description="<b>two</b>\n\u202elines\x00 " + "x" * 1000,
        error_uri="javascript:alert(1)",
    )
    assert isinstance(denied, Denied)
    assert denied.error == "bad [31m"
    assert denied.description.startswith("<b>two</b> lines xxx")
    assert len(denied.description) == 300
    assert denied.uri == ""


@pytest.mark.parametrize("uri", ["http://as.example/help", "file:///x", "/help", "https://a:b@as.example/"])
def test_an_error_uri_that_may_not_be_opened_is_left_out(uri: str) -> None:
    assert answer(error="e", error_uri=uri) == Denied("e")


# -- what is not the answer


@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=c",
        "state=&code=c",
        "state=another&code=c",
        f"state={STATE}x&code=c",
        f"state={STATE[:-1]}&code=c",
        f"state={STATE.upper()}&code=c",
        f"state={STATE}%00&code=c",
        f"state=+{STATE}&code=c",
        f"State={STATE}&code=c",
        f"x={STATE}&code=c",
        "state=another&error=access_denied",
    ],
)
def test_another_state(query: str) -> None:
    assert judge(query) is None


@pytest.mark.parametrize(
    "query",
    [
        f"state={STATE}&state={STATE}&code=c",
        f"state=x&state={STATE}&code=c",
        f"state={STATE}&state=&code=c",
        f"state={STATE}&code=c&code=d",
        f"state={STATE}&code=c&code=c",
        f"state={STATE}&error=e&error=f",
        f"state={STATE}&code=c&iss={ISSUER}&iss=https://evil.example",
        f"state={STATE}&error=e&error_description=a&error_description=b",
    ],
)
def test_a_parameter_that_comes_twice(query: str) -> None:
    assert judge(query) is None


@pytest.mark.parametrize(
    "query",
    [
        f"state={STATE}",
        f"state={STATE}&code=",
        f"state={STATE}&error=",
        f"state={STATE}&error=%00%0a",
        f"state={STATE}&code=%00",
        f"state={STATE}&code=a%0d%0ab",
        f"state={STATE}&code=%c3%bc",
        f"state={STATE}&code=%7f",
        f"state={STATE}&code={'c' * 4097}",
        f"state={STATE}&code=c&x=%ff",
        f"state={STATE}&code=c&x=\u00fc",
        f"state={STATE}&code=c&x=\ud800",
        f"state={STATE}&code=c&x={'x' * 20_000}",
        f"state={STATE}&code=c" + "&x=1" * 60,
        f"state={STATE};code=c",
    ],
)
def test_neither_code_nor_error_or_malformed(query: str) -> None:
    assert judge(query) is None


def test_without_a_state_of_ours_nothing_is_an_answer() -> None:
    for query in ("code=c", "state=&code=c"):
        assert read_callback(query, state="", issuer=ISSUER, iss_supported=False) is None


# -- the issuer, row by row (MCP 2026-07-28, Authorization Response Validation)

OTHERS = [
    "https://evil.example",
    f"{ISSUER}/",
    "https://as.example",
    "HTTPS://as.example/tenant",
    "https://AS.example/tenant",
    "https://as.example:443/tenant",
    "https://as.example/t%65nant",
    f"{ISSUER} ",
]


@pytest.mark.parametrize("iss_supported", [True, False])
def test_the_issuer_is_ours(iss_supported: bool) -> None:
    assert answer(code="c", iss=ISSUER, iss_supported=iss_supported) == Granted("c")
    assert answer(error="e", iss=ISSUER, iss_supported=iss_supported) == Denied("e")


@pytest.mark.parametrize("iss_supported", [True, False])
@pytest.mark.parametrize("iss", OTHERS)
def test_the_issuer_is_another(iss: str, iss_supported: bool) -> None:
    assert answer(code="c", iss=iss, iss_supported=iss_supported) == IssuerMismatch(ISSUER, iss.strip())


def test_the_issuer_is_missing() -> None:
    assert answer(code="c", iss_supported=True) == IssuerMismatch(ISSUER, None)
    assert answer(error="e", iss_supported=True) == IssuerMismatch(ISSUER, None)
    assert answer(code="c", iss_supported=False) == Granted("c")


def test_of_another_issuers_error_nothing_is_told() -> None:
    told = answer(error="planted", error_description="planted", error_uri="https://planted.example", iss=OTHERS[0])
    assert told == IssuerMismatch(ISSUER, OTHERS[0])
    assert "planted" not in repr(told)


def test_another_issuer_is_fit_to_be_shown() -> None:
    told = answer(code="c", iss="https://evil.example\n\x1b[2J" + "x" * 1000)
    assert isinstance(told, IssuerMismatch)
    assert told.seen is not None
    assert told.seen.isprintable()
    assert len(told.seen) == 200


def test_the_issuer_matters_only_where_the_state_is_right() -> None:
    assert judge("state=another&code=c&iss=https://evil.example") is None
    assert judge(f"state={STATE}&iss=https://evil.example") is None
