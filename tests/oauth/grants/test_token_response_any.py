"""Whatever a token endpoint answers, it is tokens or one of the errors of the table, told in one clean line."""

import json
import re
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from bridge.oauth.errors import ClientUnknown, GrantRejected, SignInError, TokenEndpointUnavailable
from bridge.oauth.grants.token_response import Tokens, read_tokens
from tests.oauth.samples import TOKEN_URL
from tests.support.cuts import unhurried

STATUSES = st.sampled_from([200, 201, 204, 302, 400, 401, 403, 404, 422, 429, 500, 503])
TYPES = st.sampled_from(["application/json", "application/x-www-form-urlencoded", "text/html", "", "\r\n\x1b"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = ("access_token", "token_type", "expires_in", "refresh_token", "scope", "id_token", "error", "error_description")
WORDS = st.sampled_from(["Bearer", "abc", "invalid_grant", "invalid_client", "server_error", "3600"])
ANSWERS = st.dictionaries(st.sampled_from(NAMES), WORDS | VALUES)


def outcome(status: int, content_type: str, body: bytes) -> Tokens | SignInError:
    try:
        return read_tokens(status, content_type, body, TOKEN_URL)
    except SignInError as problem:
        found = problem
    assert TOKEN_URL in found.message
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e]", str(found))
    assert len(found.message) < 1000
    return found


@unhurried
@given(STATUSES, TYPES, st.binary(max_size=200))
@example(200, "application/x-www-form-urlencoded", b"%ff=%00&access_token=%0d")
def test_any_bytes_have_an_outcome(status: int, content_type: str, body: bytes) -> None:
    outcome(status, content_type, body)


@unhurried
@given(STATUSES, ANSWERS)
def test_any_object_has_the_outcome_of_the_table(status: int, members: dict[str, Any]) -> None:
    found = outcome(status, "application/json", json.dumps(members).encode())
    if isinstance(found, Tokens):
        assert status < 300
        assert not members.get("error")
        assert found.access_token == members["access_token"]
        assert found.access_token.isascii()
        assert found.access_token.isprintable()
        assert found.expires_in is None or 0 < found.expires_in < 1e9
    elif status >= 500 or status == 429:
        assert isinstance(found, TokenEndpointUnavailable)
    elif members.get("error") == "invalid_grant":
        assert isinstance(found, GrantRejected)
    elif members.get("error") == "invalid_client":
        assert isinstance(found, ClientUnknown)
    else:
        assert not isinstance(found, GrantRejected), "only invalid_grant may cost the tokens"
