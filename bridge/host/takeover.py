"""Reserves standard input and output for the host.

`take_over` moves both to private descriptors. After that, descriptor 0 reads nothing and descriptor 1 is stderr, for
this process and its children: a stray `print`, a warning or the output of a console browser cannot reach the host. It
is the first step of a run, so this module imports little.
"""

from __future__ import annotations

import os
import sys


def take_over() -> tuple[int, int]:
    """Return private, binary descriptors of the host's input and output. Raises OSError if one is closed."""
    for descriptor in (0, 1):
        os.fstat(descriptor)
    nothing = os.open(os.devnull, os.O_RDWR)
    if nothing == 2:  # Stderr was closed, and is the null device now; a private descriptor must not get its number.
        nothing = os.dup(nothing)
    descriptors = (os.dup(0), os.dup(1))
    if sys.platform == "win32":
        import msvcrt

        for descriptor in descriptors:
            msvcrt.setmode(descriptor, os.O_BINARY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    sys.stdout = sys.stderr
    return descriptors
