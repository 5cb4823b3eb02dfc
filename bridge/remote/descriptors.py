"""How many connections the process may have. Each uses a file descriptor, whose number the system limits."""

from __future__ import annotations

import sys

_OWN = 56
_FEWEST = 64


def room_for_connections(wanted: int) -> int:
    """Return how many connections are possible, at most `wanted`. Raises the process's limit if the system allows it.

    Programs started from the desktop of macOS get 256 descriptors. Windows has no such limit.
    """
    if sys.platform == "win32":
        return wanted
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    needed = wanted + _OWN
    if soft != unlimited and soft < needed:
        raised = needed if hard == unlimited else min(needed, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
        except (OSError, ValueError):
            pass
    return wanted if soft == unlimited else max(_FEWEST, min(wanted, soft - _OWN))
