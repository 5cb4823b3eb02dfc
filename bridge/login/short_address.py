"""Short addresses on this machine, each of which redirects a browser to an authorization URL once.

Some openers cut a long URL (`openers` has the limits), often before `state` or the code challenge. They get the address
`http://127.0.0.1:PORT/start/TOKEN` instead. The sign-in's listener redirects it to the whole URL, until the sign-in
ends.

The token cannot be guessed, so no web page can find out where a sign-in leads. It works only once, because the address
stays in the browser's history and in the list of processes, and the URL behind it holds `state`. Reloading the tab does
not need it again, because the tab is at the authorization server by then. Each attempt to open a browser has its own
address.
"""

from __future__ import annotations

import secrets

MOST_ADDRESSES = 32
"""The most addresses that are kept. A further one replaces the oldest."""

_PREFIX = "/start/"


class ShortAddresses:
    """The short addresses of one listener at `origin`, such as `http://127.0.0.1:50123`."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._urls: dict[bytes, str] = {}

    def add(self, url: str) -> str:
        """Return a new address for `url`."""
        path = _PREFIX + secrets.token_urlsafe(24)
        if len(self._urls) >= MOST_ADDRESSES:
            del self._urls[next(iter(self._urls))]
        self._urls[path.encode("ascii")] = url
        return self._origin + path

    def __contains__(self, path: bytes) -> bool:
        """Whether this is the path of a short address, used or not."""
        return path in self._urls

    def take(self, path: bytes) -> str:
        """Return the URL for the address; "" if it was used before."""
        url, self._urls[path] = self._urls[path], ""
        return url
