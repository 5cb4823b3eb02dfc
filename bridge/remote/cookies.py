"""Cookies, in memory, for the one origin that the bridge talks to (RFC 6265; the Domain attribute is of no use here).

Load balancers tie a session to a backend with them. Nothing is kept across runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

_MOST = 50
_LONGEST = 4096


class _Cookie(NamedTuple):
    value: str
    path: str
    secure: bool
    expires: float | None


class Cookies:
    """What one origin set. `clock` tells wall-clock seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._cookies: dict[tuple[str, str], _Cookie] = {}

    def store(self, path: str, headers: Iterable[bytes]) -> None:
        """Keep the `Set-Cookie` values of a response to a request for `path`."""
        for header in headers:
            if len(header) <= _LONGEST:
                self._store(path, header.decode("latin-1"))

    def header(self, path: str, *, secure: bool) -> str:
        """The `Cookie` value for a request; empty where there is none. `secure` tells whether it goes over TLS."""
        now = self._clock()
        for key in [
            key for key, cookie in self._cookies.items() if cookie.expires is not None and cookie.expires <= now
        ]:
            del self._cookies[key]
        return "; ".join(
            f"{name}={cookie.value}"
            for (name, _), cookie in sorted(self._cookies.items(), key=lambda item: -len(item[1].path))
            if _covers(cookie.path, path) and (secure or not cookie.secure)
        )

    def _store(self, path: str, header: str) -> None:
        pair, *attributes = header.split(";")
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not name:
            return
        named = {key.strip().lower(): text.strip() for key, _, text in (item.partition("=") for item in attributes)}
        scope = named.get("path", "")
        if not scope.startswith("/"):
            scope = path.rpartition("/")[0] or "/"
        expires = self._expiry(named)
        if expires is not None and expires <= self._clock():
            self._cookies.pop((name, scope), None)
        elif (name, scope) in self._cookies or len(self._cookies) < _MOST:
            self._cookies[name, scope] = _Cookie(value, scope, "secure" in named, expires)

    def _expiry(self, named: dict[str, str]) -> float | None:
        try:
            if "max-age" in named:
                return self._clock() + int(named["max-age"][:12])
            if "expires" in named:
                from email.utils import parsedate_to_datetime  # Dear to import, and not every run meets a cookie.

                return parsedate_to_datetime(named["expires"]).timestamp()
        except (ValueError, OverflowError):
            pass
        return None


def _covers(scope: str, path: str) -> bool:
    return path == scope or (path.startswith(scope) and (scope.endswith("/") or path[len(scope)] == "/"))
