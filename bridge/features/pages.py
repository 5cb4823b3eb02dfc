"""A list read to its end, page by page (MCP 2025-03-26, Pagination), because some hosts read only the first page."""

from __future__ import annotations

from functools import partial

import msgspec
from msgspec import Raw

from bridge.protocol import writing
from bridge.protocol.jsonrpc import Request, Response
from bridge.protocol.messages import decoded
from bridge.protocol.writing import Members

_CURSOR = "nextCursor"
_MOST_PAGES = 1000
_MOST_BYTES = 64 * 1024 * 1024

_decode_list = partial(msgspec.json.decode, type=list[Raw])


class ListReading:
    """The pages of one list so far. `request` asks for the first page; `member` holds the items in each result.

    `problem` says why the reading ended before the last page; empty where it did not.
    """

    def __init__(self, request: Request, member: str, *, whole: bool) -> None:
        self.request = request
        self.problem = ""
        self._member = member
        self._whole = whole
        self._first: Members | None = None
        self._items: list[Raw] = []
        self._bytes = 0
        self._pages = 0
        self._cursors: set[bytes] = set()
        self._left_at: Raw | None = None

    def take(self, response: Response) -> Request | None:
        """Take the answer to the last request for a page.

        Returns the request for the next, still with the id of the first; None: the reading is over.
        """
        members = writing.members(response.result)
        items = decoded(_decode_list, members.get(self._member, Raw()))
        cursor = members.get(_CURSOR, Raw())
        if response.is_error or items is None:
            if self._first is not None:
                self.problem = f"page {self._pages + 1} could not be read"
            return None
        if self._first is None:
            self._first = members
        self._pages += 1
        self._items += items
        self._bytes += len(response.result)
        self._left_at = cursor if len(cursor) and bytes(cursor) != b"null" else None
        if not self._whole or self._left_at is None:
            return None
        if bytes(cursor) in self._cursors:
            self._left_at = None
            self.problem = f"the cursor after page {self._pages} had been given before"
            return None
        self._cursors.add(bytes(cursor))
        if self._pages >= _MOST_PAGES or self._bytes >= _MOST_BYTES:
            self.problem = f"the bridge reads no more than {self._pages} pages of it"
            return None
        return self._next(cursor)

    @property
    def items(self) -> list[Raw] | None:
        """The items of all pages; None where not even the first was a list."""
        return None if self._first is None else self._items

    def result(self, items: list[Raw]) -> bytes:
        """The result with these items in place of those of all pages. There must have been a first page."""
        members = dict(self._first or {})
        members[self._member] = Raw(b"[" + b",".join(bytes(item) for item in items) + b"]")
        if self._whole:
            members.pop(_CURSOR, None)
            if self._left_at is not None:
                members[_CURSOR] = self._left_at
        return msgspec.json.encode(members)

    @property
    def is_at_end(self) -> bool:
        """Whether the last page was read."""
        return self._first is not None and self._left_at is None and not self.problem

    @property
    def is_merged(self) -> bool:
        """Whether there was more than one page."""
        return self._pages > 1

    def _next(self, cursor: Raw) -> Request:
        params = writing.members(self.request.params)
        meta = writing.members(params.get("_meta", Raw()))
        meta.pop("progressToken", None)
        params.pop("_meta", None)
        if meta:
            params["_meta"] = Raw(msgspec.json.encode(meta))
        params["cursor"] = cursor
        return writing.request(self.request.raw_id, self.request.method, msgspec.json.encode(params))


def asks_for_first_page(request: Request) -> bool:
    """Whether a list request has no cursor."""
    cursor = writing.members(request.params).get("cursor", Raw())
    return not len(cursor) or bytes(cursor) == b"null"
