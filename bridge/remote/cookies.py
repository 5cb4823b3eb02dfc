"""Cookies of the server's origin, in memory (RFC 6265). There is one origin, so the Domain attribute is ignored.

Load balancers use them to tie a session to a backend. They are not kept across runs.
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
    """The cookies that one origin has set. `clock` returns Unix time in seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._cookies: dict[tuple[str, str], _Cookie] = {}

    def store(self, path: str, headers: Iterable[bytes]) -> None:
        """Store the `Set-Cookie` values of a response to a request for `path`."""
        for header in headers:
            if len(header) <= _LONGEST:
                self._store(path, header.decode("latin-1"))

    def header(self, path: str, *, secure: bool) -> str:
        """The `Cookie` value for a request, empty if there are no cookies. `secure`: the request goes over TLS."""
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
                from email.utils import parsedate_to_datetime  # Slow to import, and many runs meet no cookie.

                return parsedate_to_datetime(named["expires"]).timestamp()
        except (ValueError, OverflowError):
            pass
        return None


def _covers(scope: str, path: str) -> bool:
    return path == scope or (path.startswith(scope) and (scope.endswith("/") or path[len(scope)] == "/"))
