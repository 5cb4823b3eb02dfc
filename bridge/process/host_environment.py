"""Finds the parts of the user's environment that the host did not pass on, for the rooms that need them.

The IO rooms do not import one another: `host` finds, `login` opens browsers, `store` uses the keyring. Nothing here
is called on the way to a start that neither signs in nor reads a stored sign-in.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.host.desktop import Desktop

_logger = logging.getLogger("bridge.host")


def keyring_variables() -> Mapping[str, str]:
    """The variables that lead to the user's keyring and that this process lacks. Blocks briefly, raises nothing."""
    from bridge.host.desktop import find_session

    found = find_session(os.environ)
    if found.origins:
        _logger.debug("To reach the keyring: %s", found)
    return found.variables


async def desktop_here(environ: Mapping[str, str]) -> Desktop:
    """What a process that opens a browser needs and `environ`, made for it, lacks. Raises nothing."""
    from bridge.host.desktop import find_desktop

    return await asyncio.to_thread(find_desktop, environ)
