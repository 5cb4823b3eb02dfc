"""How a client authenticates at the endpoints of an authorization server, where servers differ (RFC 6749 2.3).

A way says where the request shows the secret, and which fields its form has. `WAYS` lists them. The first one is the
standard's for the client's method: Basic alone (RFC 6749 2.3.1), without the `client_id` in the form.

What a server says against a way decides about the next one. No way is tried twice. A server authenticates the client
before it looks at the code or the refresh token (RFC 6749 3.2.1, 4.1.3, 6), so these refusals spend neither. After any
other answer nothing is sent again.

| refusal | the next way |
|---|---|
| words: more than one method | the same, without fields |
| words: no `client_id` | the same, with it |
| `invalid_request`, words: no `client_secret` | the same, with both fields, the secret empty |
| `invalid_client`, 401 without an OAuth error | the secret by the other method, if the server lists it or lists none |
| the same again | Basic without form-encoding, if the encoding changes anything |
| `invalid_client`, 401 without an OAuth error, to an assertion for the issuer | one for the endpoint's URL |

The last three are guesses. So if every way is refused, the first refusal that left the bridge to guess is the answer.
The way that a server took is kept in the record of the sign-in: a restart, a refresh and the next sign-in begin with
it.

Sources:

- "Client must not use multiple authentication methods": Cloudflare's workers-oauth-provider 1.2.3
  (`src/oauth-provider.ts`), which counts a `client_id` beside Basic as a second method; Notion runs it. oidc-provider
  9.13 (`lib/shared/client_auth.js`) counts only secrets.
- "Missing client_id": the Python SDK 2.3.0 (`mcp/server/auth/middleware/client_auth.py`) looks the client up by the
  form before it reads the header. The TypeScript SDK 1 (`server/auth/middleware/clientAuth.ts`) reads only the form.
  FastAPI answers 422 with the missing fields in `detail`.
- "client_secret: Field required": the revocation endpoint of the Python SDK 2.3.0
  (`mcp/server/auth/handlers/revoke.py`), for public clients too.
- Without form-decoding: pyop before its pull request 35, oauth2-server-php before its pull request 979.
"""

from __future__ import annotations

import base64
import enum
import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

import msgspec

from bridge.oauth.client import BASIC, NONE, POST, PRIVATE_KEY, Client
from bridge.oauth.client_key import ASSERTION_TYPE
from bridge.oauth.grants.token_response import error_of, members_of, words_of

_ID = "client_id"
_SECRET = "client_secret"  # noqa: S105 - the name of a field

Form = Mapping[str, str | list[str]]
"""Fields by name, some more than once."""


class Shown(enum.Enum):
    """Where a request shows the secret."""

    NOWHERE = NONE
    HEADER = BASIC
    """In the header, both parts form-encoded first, as RFC 6749 2.3.1 says."""
    RAW_HEADER = "raw"
    """In the header, as they are (RFC 7617). Some servers decode nothing."""
    FORM = POST
    ASSERTION = PRIVATE_KEY
    """Nowhere: a signed assertion for the issuer (RFC 7523 3, draft-ietf-oauth-rfc7523bis)."""
    ASSERTION_FOR_ENDPOINT = "private_key_jwt for the endpoint"
    """The same for the URL of the endpoint, which RFC 7523 3 names and older servers expect."""

    @property
    def is_assertion(self) -> bool:
        """Whether the request carries an assertion."""
        return self in {Shown.ASSERTION, Shown.ASSERTION_FOR_ENDPOINT}


class Way(msgspec.Struct, frozen=True):
    """A row of `WAYS`. `fields` are those of the form; a secret that is shown elsewhere, or nowhere, is empty there."""

    name: str
    shown: Shown
    fields: tuple[str, ...] = ()


WAYS = (
    Way("none", Shown.NOWHERE, (_ID,)),
    Way("none+client_secret", Shown.NOWHERE, (_ID, _SECRET)),
    Way("client_secret_basic", Shown.HEADER),
    Way("client_secret_basic+client_id", Shown.HEADER, (_ID,)),
    Way("client_secret_basic+client_id+client_secret", Shown.HEADER, (_ID, _SECRET)),
    Way("client_secret_post", Shown.FORM, (_ID, _SECRET)),
    Way("client_secret_basic-raw", Shown.RAW_HEADER),
    Way("client_secret_basic-raw+client_id", Shown.RAW_HEADER, (_ID,)),
    Way("private_key_jwt", Shown.ASSERTION, (_ID,)),
    Way("private_key_jwt-endpoint", Shown.ASSERTION_FOR_ENDPOINT, (_ID,)),
)
"""Every way. Of two that show the secret in the same place, the first is tried first."""


class Refusal(enum.Enum):
    """What a server says against a way; see the table above."""

    MULTIPLE = enum.auto()
    NO_ID = enum.auto()
    NO_SECRET_FIELD = enum.auto()
    UNSAID = enum.auto()


_FIELDS: Mapping[Refusal, tuple[str, ...]] = {
    Refusal.MULTIPLE: (),
    Refusal.NO_ID: (_ID,),
    Refusal.NO_SECRET_FIELD: (_ID, _SECRET),
}

_ABOUT_CLIENTS = frozenset(("invalid_request", "invalid_client", "unauthorized_client"))
_INVALID = frozenset((400, 422))
_MISSING = r"missing|required|undefined|not (?:provided|present)"
_MULTIPLE = re.compile(
    r"\b(?:multiple|more than one|only\b.{0,40}\bone)\b.{0,60}(?:auth|credential|mechanism)", re.IGNORECASE
)
_NO_ID = re.compile(
    rf"\b(?:{_MISSING}) .{{0,30}}\bclient[_ ]?id\b|\bclient[_ ]?id\b.{{0,120}}\b(?:{_MISSING})\b",
    re.IGNORECASE | re.DOTALL,
)
_NO_SECRET = re.compile(rf"\bclient_secret\b.{{0,120}}\b(?:{_MISSING})\b", re.IGNORECASE | re.DOTALL)


def refusal_in(status: int, content_type: str, body: bytes) -> Refusal | None:
    """What an answer says against the way in which the client authenticated; None if it says nothing about that."""
    members = members_of(content_type, body) or {}
    error = error_of(members)
    if status >= 500 or status in {408, 425, 429} or (200 <= status < 300 and not error):
        return None
    if error in _ABOUT_CLIENTS or (not error and status in _INVALID):
        words = words_of(members)
        if _MULTIPLE.search(words):
            return Refusal.MULTIPLE
        if _NO_ID.search(words):
            return Refusal.NO_ID
        if error in {"", "invalid_request"} and _NO_SECRET.search(words):
            return Refusal.NO_SECRET_FIELD
    if error == "invalid_client" or (status == 401 and error in {"", "unauthorized_client"}):
        return Refusal.UNSAID
    return None


def standard_way(client: Client) -> Way:
    """The way that the standard says for the client's method."""
    has_secret = bool(client.secret) and client.auth_method in {BASIC, POST}
    shown = Shown(client.auth_method) if has_secret or client.auth_method == PRIVATE_KEY else Shown.NOWHERE
    return next(way for way in WAYS if way.shown is shown)


def first_way(client: Client) -> Way:
    """The way that the server took before (`Client.way`), else the standard's."""
    standard = standard_way(client)
    return next((way for way in WAYS if way.name == client.way and _is_alike(way.shown, standard.shown)), standard)


def _is_alike(one: Shown, other: Shown) -> bool:
    """Whether both show a secret, both send an assertion, or neither does anything."""
    return (one is Shown.NOWHERE, one.is_assertion) == (other is Shown.NOWHERE, other.is_assertion)


def next_way(client: Client, methods: Sequence[str] | None, tried: Sequence[Way], refusal: Refusal) -> Way | None:
    """The way to try after the last of `tried` was refused; None if there is no more.

    `methods` are those that the server lists, None if it lists none or that is not known.
    """
    if (fields := _FIELDS.get(refusal)) is not None:
        same = (way for way in WAYS if way.shown is tried[-1].shown and way.fields == fields)
        return next((way for way in same if way not in tried), None)
    places = {way.shown for way in tried}
    return next((way for way in _guesses(client, methods) if way.shown not in places), None)


def _guesses(client: Client, methods: Sequence[str] | None) -> Iterator[Way]:
    """The ways to try, in order, where the server does not say what is wrong with one."""
    own = standard_way(client).shown
    if own is Shown.NOWHERE:
        return
    if own is Shown.ASSERTION:
        yield next(way for way in WAYS if way.shown is Shown.ASSERTION_FOR_ENDPOINT)
        return
    for shown in (Shown.HEADER, Shown.FORM):
        if shown is own or not methods or shown.value in methods:
            yield next(way for way in WAYS if way.shown is shown)
    if own is Shown.HEADER and _encoded(client) != _raw(client):
        yield next(way for way in WAYS if way.shown is Shown.RAW_HEADER)


def authenticated(
    client: Client, way: Way, form: Form, assertion: str = ""
) -> tuple[dict[str, str | list[str]], dict[str, str]]:
    """The form and headers of a request in which `client` authenticates in this way, if need be by `assertion`."""
    values = {_ID: client.client_id, _SECRET: client.secret if way.shown is Shown.FORM else ""}
    made: dict[str, str | list[str]] = {**form, **{name: values[name] for name in way.fields}}
    if way.shown.is_assertion:
        return {**made, "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}, {}
    if way.shown not in {Shown.HEADER, Shown.RAW_HEADER}:
        return made, {}
    pair = _encoded(client) if way.shown is Shown.HEADER else _raw(client)
    return made, {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"}


def _encoded(client: Client) -> str:
    # A space becomes %20, which every form decoder reads too. Not all servers read "+" as a space.
    return f"{quote(client.client_id, safe='')}:{quote(client.secret, safe='')}"


def _raw(client: Client) -> str:
    return f"{client.client_id}:{client.secret}"
