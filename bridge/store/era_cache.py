"""What is known of a server's eras, kept from run to run, so that a run need not ask again.

It saves a request at the start and is otherwise of no account: whatever is missing, damaged, strange, too old or of the
future counts as unknown, and what cannot be kept is not kept. It holds no secret, and not the server's URL either.

Each server has one small file in the platform's cache folder. Its text: `eras 1`, the time in whole Unix seconds, and
the eras, as in `eras 1 1785283200 legacy modern`; `legacy unasked` where it is not known whether it is modern too.
"""

from __future__ import annotations

import hashlib
import logging
import re
from pathlib import Path

from bridge.errors import BridgeError
from bridge.store.file import PrivateFiles
from bridge.store.paths import platform_cache

ERAS = ("legacy", "modern", "unasked")
"""`legacy` is every revision up to 2025-11-25, `modern` is 2026-07-28 (MCP, Versioning, Terminology).

`unasked`, beside `legacy`: nobody has asked whether the server is modern too.
"""

LIFETIME = 7 * 24 * 3600.0
"""Seconds for which a verdict is believed: servers are renewed."""

_TEXT = re.compile(rb"eras 1 (\d{1,12}) (legacy|modern|legacy modern|legacy unasked)\n")

_logger = logging.getLogger("bridge.store")


def cache_folder() -> Path:
    """The folder of the files, in the platform's cache folder for this user."""
    return platform_cache() / "eras"


def load(url: str, now: float) -> frozenset[str] | None:
    """The eras of the server at `url`, as they were found at most a week before `now`; None where that is unknown.

    Quick: one file is looked at. `now` is in Unix seconds.
    """
    try:
        data = PrivateFiles(cache_folder()).read(name_of(url))
    except (BridgeError, OSError, RuntimeError) as problem:
        _logger.debug("what was known of the server's eras cannot be read: %s", problem)
        return None
    found = _TEXT.fullmatch(data or b"")
    if found is None or not 0 <= now - int(found[1]) <= LIFETIME:
        return None
    return frozenset(found[2].decode("ascii").split())


def save(url: str, eras: frozenset[str], now: float) -> None:
    """Keep what was found at `now`, in Unix seconds; no eras: forget it. Blocks, and never fails.

    The file is replaced as a whole or stays as it was. Raises `ValueError` for a word that is no era.
    """
    if not eras.issubset(ERAS):
        raise ValueError(f"eras are {' and '.join(ERAS)}, not {' '.join(sorted(eras))}")
    words = " ".join(era for era in ERAS if era in eras)
    try:
        files = PrivateFiles(cache_folder())
        if words:
            files.write(name_of(url), b"eras 1 %d %b\n" % (now, words.encode("ascii")))
        else:
            files.delete(name_of(url))
    except (BridgeError, OSError, RuntimeError) as problem:
        _logger.debug("what was found of the server's eras cannot be kept: %s", problem)


def name_of(url: str) -> str:
    """The name of what is kept of the server at `url`: a digest, for the URL may hold a secret."""
    return f"server-{hashlib.sha256(url.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"
