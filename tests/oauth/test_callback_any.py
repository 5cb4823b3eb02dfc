"""Callbacks, whatever comes: never an error, and nothing but the right state is ever accepted."""

from urllib.parse import parse_qsl, urlencode

from hypothesis import given
from hypothesis import strategies as st

from bridge.oauth.callback import Denied, Granted, IssuerMismatch, read_callback
from tests.support.cuts import unhurried

ISSUER = "https://as.example"
STATE = "s3cret-state"

names = st.sampled_from(["state", "code", "iss", "error", "error_description", "error_uri", "x"])
values = st.text(max_size=20) | st.sampled_from([STATE, ISSUER, "c", "", "https://evil.example", f"{STATE}x"])
pairs = st.lists(st.tuples(names, values), max_size=8)
queries = pairs.map(urlencode) | pairs.map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs))


@unhurried
@given(st.text(max_size=80) | queries, st.booleans())
def test_only_the_right_state_is_accepted(query: str, iss_supported: bool) -> None:
    answer = read_callback(query, state=STATE, issuer=ISSUER, iss_supported=iss_supported)
    given = parse_qsl(query, keep_blank_values=True)
    if answer is None:
        return
    assert [value for name, value in given if name == "state"] == [STATE]
    issuers = [value for name, value in given if name == "iss" and value]
    right = issuers == [ISSUER] or (not issuers and not iss_supported)
    assert isinstance(answer, IssuerMismatch) != right
    if isinstance(answer, Granted):
        assert [value for name, value in given if name == "code"] == [answer.code]
        assert answer.code.isascii()
        assert answer.code.isprintable()
    if isinstance(answer, Denied):
        assert answer.error
        assert (answer.error + answer.description + answer.uri).isprintable()


@unhurried
@given(st.text(max_size=20), st.dictionaries(names.filter(lambda name: name != "state"), values))
def test_another_state_is_never_accepted(state: str, others: dict[str, str]) -> None:
    query = urlencode({"state": state, **others}, errors="replace")
    if state != STATE:
        assert read_callback(query, state=STATE, issuer=ISSUER, iss_supported=False) is None


@unhurried
@given(values.filter(lambda code: code.isascii() and code.isprintable() and bool(code)))
def test_each_code_comes_through_as_it_was_given(code: str) -> None:
    query = urlencode({"code": code, "state": STATE, "iss": ISSUER})
    assert read_callback(query, state=STATE, issuer=ISSUER, iss_supported=True) == Granted(code)
