"""Text that the user pastes: the address of the page where the browser ended, or a part of it (RFC 6749 4.1.2).

| pasted | result |
|---|---|
| `http://localhost:1234/callback?code=..&state=..`, also without scheme, in quotes, broken into lines | its query |
| `?code=..&state=..`, `code=..&state=..`, the same with `error` | the query |
| the link to the sign-in page (it has `client_id` or `response_type`) | refused: the user has to open it |
| only a code, an address without an answer, nothing, more than 16 KB | refused |

The text is not trusted: `callback.read_callback` decides whether it is the answer to a sign-in. No message repeats it.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from bridge.errors import UsageError

MAX_PASTED = 16 * 1024
"""Characters."""

_QUOTES = "\"'`<>\u2018\u2019\u201c\u201d\u00ab\u00bb"
_WHAT = "Paste the whole address from the browser's address bar, with everything after the question mark."
_REQUEST = ("client_id", "response_type", "request_uri")


def query_of_pasted(text: str) -> str:
    """The query in the pasted text, without its question mark. Raises `UsageError`, which never repeats the text."""
    if len(text) > MAX_PASTED:
        raise UsageError(f"The pasted text has more than {MAX_PASTED // 1024} KB, too much for an address.", hint=_WHAT)
    # An address has no spaces, line breaks or backslashes. Terminals add them.
    address = "".join(text.split()).replace("\\", "").strip(_QUOTES).partition("#")[0]
    if not address:
        raise UsageError("Nothing was pasted.", hint=_WHAT)
    before, mark, query = address.partition("?")
    if not mark:
        query = before
    query = query.replace("&amp;", "&").strip("&")
    names = {name for name, value in _pairs(query) if value}
    if "state" in names and names & {"code", "error"}:
        return query
    if names.intersection(_REQUEST):
        raise UsageError("The pasted text is the link to the sign-in page.", hint=f"Open it and sign in. {_WHAT}")
    if names & {"code", "error"} or not (mark or "/" in before or "=" in before):
        raise UsageError("The pasted text has no state parameter, so it cannot be matched with a sign-in.", hint=_WHAT)
    raise UsageError("The pasted text is not the answer to a sign-in, which has a code and a state.", hint=_WHAT)


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, max_num_fields=100)
    except ValueError:
        return []
