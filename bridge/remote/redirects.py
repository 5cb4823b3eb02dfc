"""Redirects (RFC 9110, 15.4): the URL that a response leads to, and whether to follow it.

A redirect is followed only within the origin, because the user's headers and tokens must not reach another. The method
stays: a server that moved its endpoint wants the message, not a GET. Permanent redirects are remembered.
"""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from bridge.protocol.sanitize import address
from bridge.remote import exchange_refused
from bridge.remote.connecting import Origin, origin_of
from bridge.remote.responses import Head

_MAX_MOVES = 100
_SEE_OTHER = 303
_PERMANENT = {301, 308}
_REDIRECTS = {301, 302, _SEE_OTHER, 307, 308}


class Redirects:
    """The redirects of the server at `origin`."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._moved: dict[str, str] = {}

    def moved(self, url: str) -> str:
        """The URL after permanent redirects."""
        return self._moved.get(url, url)

    def target(self, url: str, head: Head, named: str) -> str | None:
        """The URL that a response redirects to; None where it does not. `named` is `url` for messages.

        Raises `Refused` for a redirect that must not be followed.
        """
        status = head.status
        if status not in _REDIRECTS or (location := head.first(b"location")) is None:
            return None
        try:
            text = location.decode("latin-1")
            target = urljoin(url, text).partition("#")[0]
            # `urljoin` takes "http://" for a path.
            parts = urlsplit(text)
            same = bool(parts.netloc or not parts.scheme) and origin_of(target) == self._origin and text.isascii()
        except ValueError:
            target, same = location.decode("latin-1"), False
        if not same:
            raise exchange_refused.other_origin(named, status, address(target))
        if status == _SEE_OTHER:
            raise exchange_refused.see_other(named)
        if status in _PERMANENT and len(self._moved) < _MAX_MOVES:
            self._moved[url] = target
        return target
