"""What the host kept back of the user's environment, found where it is needed and handed to the rooms that need it.

The rooms that act do not know one another: `host` finds, `login` opens browsers, `store` asks the keyring. Nothing here
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
    """The variables that lead to the user's keyring and that this process lacks. Quick, blocks, raises nothing."""
    from bridge.host.desktop import find_session

    found = find_session(os.environ)
    if found.origins:
        _logger.debug("To reach the keyring: %s", found)
    return found.variables


async def desktop_here(environ: Mapping[str, str]) -> Desktop:
    """What a process that opens a browser needs and `environ`, made for it, lacks. Raises nothing."""
    from bridge.host.desktop import find_desktop

    return await asyncio.to_thread(find_desktop, environ)
