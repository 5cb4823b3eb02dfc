"""A list read to its end, page by page (MCP 2025-03-26, Pagination), because some hosts read only the first page.

| what comes | what the host gets |
|---|---|
| the last page: no `nextCursor`, or null, or an empty text | all items in their order; what is there twice stays |
| the same, with a host that reads all pages itself | the page, without the null or empty `nextCursor` |
| a `nextCursor` that is a number, with such a host | all pages, because hosts refuse a list with one |
| a page that is refused, lost or not a list | the pages before it, and the cursor of this page |
| a cursor that was given before, that is no text or number, or a huge one | the pages until then, without a cursor |
| more pages, items or bytes than the bridge reads | the pages until then, and the cursor of the next |
| word from the server, after the first page, that the list has changed | the list as it is read once more |
| caching hints (MCP 2026-07-28) | the shortest time that is left of all pages; `private` where one page is |

Real hosts that get a null or an empty `nextCursor` show nothing of the server: the TypeScript SDK 1.x and 2.x refuse
null, and Codex 0.171, OpenCode 1.18 and Copilot CLI 1.0.102 an empty text. Nearly all refuse a number (2026-12-01).
"""

from __future__ import annotations

import math
from functools import partial

import msgspec
from msgspec import Raw

from bridge.protocol import mcp, writing
from bridge.protocol.jsonrpc import Request, Response
from bridge.protocol.messages import decoded
from bridge.protocol.writing import Members

_CURSOR, _TTL, _SCOPE = "nextCursor", "ttlMs", "cacheScope"
_MOST_PAGES = 1000
_MOST_ITEMS = 100_000
_MOST_BYTES = 64 * 1024 * 1024
_LONGEST_CURSOR = 64 * 1024
_LONGEST_HINT = 24 * 3600 * 1000.0
_NO_CURSOR = frozenset({b"null", b'""'})

_decode_list = partial(msgspec.json.decode, type=list[Raw])
_decode_number = partial(msgspec.json.decode, type=float)

CHANGES = {
    mcp.TOOLS_CHANGED: (mcp.TOOLS_LIST,),
    mcp.PROMPTS_CHANGED: (mcp.PROMPTS_LIST,),
    mcp.RESOURCES_CHANGED: (mcp.RESOURCES_LIST, mcp.TEMPLATES_LIST),
}
"""The notifications by which a server says that lists have changed, and which lists."""


class ListReading:
    """The pages of one list so far. `request` asks for the first page; `member` holds the items in each result.

    `whole`: all pages are read; None: only where the cursor of the second is one that hosts refuse. `problem` says why
    the reading ended before the last page; empty where it did not. `has_odd_end`: the last page had a cursor that is
    none.
    """

    def __init__(self, request: Request, member: str, *, whole: bool | None) -> None:
        self.request = request
        self.problem = ""
        self.has_odd_end = False
        self._member = member
        self._whole = whole
        self._has_changed = False
        self._may_begin_again = True
        self._begin()

    def _begin(self) -> None:
        self.pages = 0
        self._first: Members | None = None
        self._items: list[Raw] = []
        self._bytes = 0
        self._cursors: set[bytes] = set()
        self._left_at: Raw | None = None
        self._fresh_until = math.inf
        self._is_public = True

    def list_changed(self) -> None:
        """The server says that the list has changed. Until its first page is there, that changes nothing here."""
        self._has_changed = self.pages > 0

    def take(self, response: Response, now: float) -> Request | None:
        """Take the answer, at `now` (seconds), to the last request for a page.

        Returns the request for the next, still with the id of the first; None: the reading is over.
        """
        if self._has_changed and self._may_begin_again:
            self._has_changed = self._may_begin_again = False
            self._begin()
            return self._page(Raw())
        members = writing.members(response.result)
        items = decoded(_decode_list, members.get(self._member, Raw()))
        if response.is_error or items is None:
            self.lost("the server refused it" if response.is_error else "it is not a list")
            return None
        if self._first is None:
            self._first = members
        self.pages += 1
        self._items += items
        self._bytes += len(response.result)
        self._note_hints(members, now)
        cursor = members.get(_CURSOR, Raw())
        self.has_odd_end = _is(cursor, _NO_CURSOR)
        self._left_at = cursor if len(cursor) and not self.has_odd_end else None
        if self._whole is None and self._left_at is not None and not _is_text(cursor):
            self._whole = True
        return self._following(cursor) if self._whole and self._left_at is not None else None

    def lost(self, why: str) -> None:
        """The last request for a page has no answer that can be used."""
        if self._first is not None:
            self.problem = f"page {self.pages + 1} could not be read: {why}"

    @property
    def items(self) -> list[Raw] | None:
        """The items of all pages; None where not even the first was a list."""
        return None if self._first is None else self._items

    def result(self, items: list[Raw], now: float) -> bytes:
        """The result, at `now`, with these items in place of those of all pages. There must have been a first page."""
        members = dict(self._first or {})
        members[self._member] = Raw(b"[" + b",".join(bytes(item) for item in items) + b"]")
        members.pop(_CURSOR, None)
        if self._left_at is not None and (_is_text(self._left_at) or not self._whole):
            members[_CURSOR] = self._left_at
        if self.is_merged and _TTL in members:
            members[_TTL] = Raw(b"%d" % max(0, int((self._fresh_until - now) * 1000)))
        if self.is_merged and _SCOPE in members and not self._is_public:
            members[_SCOPE] = Raw(b'"private"')
        return msgspec.json.encode(members)

    @property
    def is_untouched(self) -> bool:
        """Whether no page was taken yet, and the list has not changed."""
        return self._first is None and not self._has_changed

    @property
    def is_at_end(self) -> bool:
        """Whether the last page was read."""
        return self._first is not None and self._left_at is None and not self.problem

    @property
    def is_merged(self) -> bool:
        """Whether there was more than one page."""
        return self.pages > 1

    @property
    def is_mended(self) -> bool:
        """Whether the host gets something else than the last page as it came."""
        return self.is_merged or self.has_odd_end or bool(self.problem)

    def _following(self, cursor: Raw) -> Request | None:
        """The request for the page at `cursor`; None where that page is not read."""
        if len(cursor) > _LONGEST_CURSOR or not (_is_text(cursor) or _is_number(cursor)):
            self._left_at = None
            self.problem = f"the cursor after page {self.pages} cannot be used"
        elif bytes(cursor) in self._cursors:
            self._left_at = None
            self.problem = f"the cursor after page {self.pages} had been given before"
        elif self.pages >= _MOST_PAGES or len(self._items) >= _MOST_ITEMS or self._bytes >= _MOST_BYTES:
            self.problem = f"the bridge reads no more than {self.pages} pages of it"
        else:
            self._cursors.add(bytes(cursor))
            return self._page(cursor)
        return None

    def _note_hints(self, members: Members, now: float) -> None:
        """Note how long a page is fresh, and for whom. Where it does not say, it is not fresh at all, and private."""
        milliseconds = decoded(_decode_number, members.get(_TTL, Raw())) or 0.0
        self._fresh_until = min(self._fresh_until, now + min(max(milliseconds, 0.0), _LONGEST_HINT) / 1000)
        self._is_public = self._is_public and _is(members.get(_SCOPE, Raw()), {b'"public"'})

    def _page(self, cursor: Raw) -> Request:
        """The request for the page at `cursor`; without one, for the first."""
        params = writing.members(self.request.params)
        meta = writing.members(params.get("_meta", Raw()))
        meta.pop("progressToken", None)
        params.pop("_meta", None)
        if meta:
            params["_meta"] = Raw(msgspec.json.encode(meta))
        if len(cursor):
            params["cursor"] = cursor
        return writing.request(self.request.raw_id, self.request.method, msgspec.json.encode(params))


def asks_for_first_page(request: Request) -> bool:
    """Whether a list request has no cursor."""
    cursor = writing.members(request.params).get("cursor", Raw())
    return not len(cursor) or _is(cursor, {b"null"})


def _is_text(value: Raw) -> bool:
    return bytes(memoryview(value)[:1]) == b'"'


def _is_number(value: Raw) -> bool:
    return bytes(memoryview(value)[:1]) in (b"-", *(b"%d" % digit for digit in range(10)))


def _is(value: Raw, texts: frozenset[bytes] | set[bytes]) -> bool:
    """Whether a value, which may be huge, is one of these short texts."""
    return len(value) <= 16 and bytes(value) in texts
