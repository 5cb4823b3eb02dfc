"""How many connections the process may have at once: each takes a file descriptor, and their number has a limit."""

from __future__ import annotations

import sys

_OWN = 56
_FEWEST = 64


def room_for_connections(wanted: int) -> int:
    """How many connections fit, at most `wanted`. Raises the process's own limit where the system lets it.

    Programs that are started from the desktop of macOS get 256 descriptors. Windows has no such limit.
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
