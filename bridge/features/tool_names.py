"""Tools' names that a host refuses, under others that it takes: the same in every run, and led back in calls.

A name of the bridge's own is the beginning of the real one, without the characters that the host refuses, and eight
digits of its SHA-256. So it depends on nothing but the real name and the host's limit.
"""

from __future__ import annotations

import re

import msgspec

from bridge.features.host_limits import Limits
from bridge.protocol.surrogates import replaced

_DIGITS = 8
_OWN = re.compile(r"_[0-9a-f]{8}$")
_USUAL_SERVER_NAME = 8
"""The length of the server's name in the host, where the bridge does not know the name."""
_SHORTEST = 16
_NO_LIMIT = 1 << 30
_MOST_NAMES = 10_000


class ToolNames:
    """The names that tools have for the host. `server_name` is the server's there; empty where that is not known."""

    def __init__(self, server_name: str = "") -> None:
        self._server_name = server_name
        self._real: dict[str, bytes] = {}

    def shown(self, name: str, limits: Limits) -> str:
        """The name that the host gets for a tool. `name` may have lone surrogates."""
        longest = self._longest(limits)
        refused = limits.refused_in_names
        safe = re.sub(refused, "_", name) if refused else replaced(name)
        if safe == name and len(name) <= longest:
            return name
        return self._own(name, safe, longest)

    def takes_all(self, names: list[str], limits: Limits) -> bool:
        """Whether the host gets all these names as they are, and takes no two for one."""
        longest = max(map(len, names), default=0)
        patterns = filter(None, (limits.refused_in_names, limits.alike_in_names))
        joined = "".join(names)
        is_usual = longest <= self._longest(limits) and not any(re.search(pattern, joined) for pattern in patterns)
        return is_usual and len(set(names)) == len(names)

    def distinct(self, name: str, limits: Limits) -> str:
        """The name that the host gets for a tool whose own name it would take for another tool's."""
        return self._own(name, re.sub(limits.alike_in_names, "_", name), self._longest(limits))

    def _own(self, name: str, safe: str, longest: int) -> str:
        import hashlib

        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        shown = f"{safe[: longest - _DIGITS - 1]}_{digest[:_DIGITS]}"
        if len(self._real) < _MOST_NAMES:
            self._real[shown] = _as_json(name)
        return shown

    def real(self, shown: str) -> bytes | None:
        """The real name, as JSON, of a tool that the host calls; None where it is the same."""
        return self._real.get(shown)

    @property
    def has_any(self) -> bool:
        """Whether any name was changed."""
        return bool(self._real)

    def _longest(self, limits: Limits) -> int:
        if not limits.longest_name:
            return _NO_LIMIT
        if limits.added is None:
            return limits.longest_name
        server = len(self._server_name) or _USUAL_SERVER_NAME
        return max(_SHORTEST, limits.longest_name - limits.added - server)


def may_be_own(name: str) -> bool:
    """Whether a name has the form of those that the bridge makes."""
    return _OWN.search(name) is not None


def _as_json(name: str) -> bytes:
    if replaced(name) == name:
        return msgspec.json.encode(name)
    import json

    return json.dumps(name).encode()
