"""Short addresses on this machine, each of which leads a browser to an authorization URL, once.

Some openers cut a long URL (`openers` has the limits), mostly before `state` or the code challenge. They are given
`http://127.0.0.1:PORT/start/TOKEN`, which the listener of the sign-in answers with a redirect to the whole URL; it is
gone when the sign-in ends.

The token cannot be guessed, so no web page can find where a sign-in leads. It works once, since the address stays in
the browser's history and in the list of processes, and the URL behind it holds `state`. A reload of the tab does not
need it: by then the tab is at the authorization server. Each attempt to open a browser has an address of its own.
"""

from __future__ import annotations

import secrets

MOST_ADDRESSES = 32
"""How many addresses are kept; one more costs the oldest."""

_PREFIX = "/start/"


class ShortAddresses:
    """The short addresses of one listener, which is at `origin`: `http://127.0.0.1:50123`."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._urls: dict[bytes, str] = {}

    def add(self, url: str) -> str:
        """Return a new address that leads to `url`."""
        path = _PREFIX + secrets.token_urlsafe(24)
        if len(self._urls) >= MOST_ADDRESSES:
            del self._urls[next(iter(self._urls))]
        self._urls[path.encode("ascii")] = url
        return self._origin + path

    def __contains__(self, path: bytes) -> bool:
        """Whether this is the path of an address, used or not."""
        return path in self._urls

    def take(self, path: bytes) -> str:
        """Return where the address leads; "" where it was used before."""
        url, self._urls[path] = self._urls[path], ""
        return url
