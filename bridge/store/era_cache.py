"""Stores which eras a server supports, so that later runs do not have to ask.

This saves a request at the start and nothing else depends on it: an entry that is missing, damaged, too old or from the
future counts as unknown, and a failed write is ignored. It holds no secret, and not the server's URL either.

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

`unasked`, besides `legacy`: the server has not been asked whether it is modern too.
"""

LIFETIME = 7 * 24 * 3600.0
"""Seconds for which an entry counts, because servers are updated."""

_TEXT = re.compile(rb"eras 1 (\d{1,12}) (legacy|modern|legacy modern|legacy unasked)\n")

_logger = logging.getLogger("bridge.store")


def cache_folder() -> Path:
    """The folder of the files, in the platform's cache folder for this user."""
    return platform_cache() / "eras"


def load(url: str, now: float) -> frozenset[str] | None:
    """The eras of the server at `url`, as found at most a week before `now`; None where they are unknown.

    Quick: it reads one file. `now` is in Unix seconds.
    """
    try:
        data = PrivateFiles(cache_folder()).read(name_of(url))
    except (BridgeError, OSError, RuntimeError) as problem:
        _logger.debug("the stored eras of the server cannot be read: %s", problem)
        return None
    found = _TEXT.fullmatch(data or b"")
    if found is None or not 0 <= now - int(found[1]) <= LIFETIME:
        return None
    return frozenset(found[2].decode("ascii").split())


def save(url: str, eras: frozenset[str], now: float) -> None:
    """Store the eras that were found at `now` (Unix seconds); with no eras, forget them. Blocks, and never fails.

    The file is replaced as a whole or stays as it was. Raises `ValueError` for a word that is not an era.
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
        _logger.debug("the eras of the server cannot be stored: %s", problem)


def name_of(url: str) -> str:
    """The file name for the server at `url`: a digest, because the URL may hold a secret."""
    return f"server-{hashlib.sha256(url.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"
