"""Challenges, whatever comes: never an error, and each well-formed list read back as it was written."""

import string

from hypothesis import given
from hypothesis import strategies as st

from bridge.oauth.challenge import Challenge, bearer_challenge, is_insufficient_scope, parse_challenges, scopes_of
from tests.support.cuts import unhurried

TOKEN = "!#$%&'*+-.^_`|~" + string.ascii_lowercase + string.digits

words = st.text(TOKEN, min_size=1, max_size=12)
values = st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n"), max_size=30)
pieces = st.sampled_from(
    ["Bearer", "Basic", "a", "scope", "=", " ", ",", '"', "\\", "\t", "a=b", '"x, y"', "abc==", "\x00"]
)


@st.composite
def challenges(draw: st.DrawFn) -> Challenge:
    if draw(st.booleans()):
        return Challenge(draw(words), draw(st.dictionaries(words, values, max_size=4)))
    token68 = draw(st.text(string.ascii_letters + string.digits + "-._~+/", min_size=1, max_size=12))
    return Challenge(draw(words), {}, token68 + "=" * draw(st.integers(0, 2)))


def written(challenge: Challenge, gap: str) -> str:
    quoted = [
        f'{name.upper()}{gap}={gap}"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        for name, value in challenge.parameters.items()
    ]
    return f"{challenge.scheme.upper()} {challenge.token68}" + f"{gap},{gap}".join(quoted)


@unhurried
@given(st.lists(challenges(), max_size=6), st.sampled_from(["", " ", " \t"]), st.booleans())
def test_a_well_formed_list_is_read_back(wanted: list[Challenge], gap: str, apart: bool) -> None:
    fields = [written(challenge, gap) for challenge in wanted]
    assert list(parse_challenges(fields if apart else [", ".join(fields)])) == wanted


@unhurried
@given(st.lists(st.text(max_size=200) | st.lists(pieces, max_size=60).map("".join), max_size=4))
def test_nothing_makes_it_fail(fields: list[str]) -> None:
    found = parse_challenges(fields)
    for challenge in found:
        assert challenge.scheme == challenge.scheme.lower() != ""
        assert all(name == name.lower() for name in challenge.parameters)
        assert all(scope.isascii() and " " not in scope for scope in scopes_of(challenge))
    chosen = bearer_challenge(found)
    assert (chosen is None) == all(challenge.scheme != "bearer" for challenge in found)
    assert is_insufficient_scope(403, found) in {True, False}
