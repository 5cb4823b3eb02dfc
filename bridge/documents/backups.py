"""Earlier contents of configuration files, in a folder that only the user can read: the newest 20 of each file."""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from pathlib import Path

from bridge.documents.files import reason_of, written_whole
from bridge.errors import BridgeError

MOST = 20
"""How many backups of one file are kept."""

_OTHER = re.compile(r"[^\w.-]+")
_PRIVATE = (0o600, -1, -1)


def kept(data: bytes, target: Path, folder: Path) -> Path:
    """Keep these bytes, the content of `target`, in `folder`; returns where. The oldest backups of that file go.

    A backup is named with the time (UTC), a digest of the file's path, its folder and its name. Raises `BridgeError`.
    """
    digest = hashlib.sha256(str(target).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    name = _OTHER.sub("_", f"{target.parent.name}-{target.name}")[-80:]
    now = time.time_ns()
    moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now // 1_000_000_000)) + f".{now // 1000 % 1_000_000:06d}Z"
    path = folder / f"{moment}-{digest}-{name}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        with written_whole(path, data, _PRIVATE) as draft:
            draft.replace(path)
    except OSError as problem:
        raise BridgeError(
            f"No backup of {target} could be kept in {folder} ({reason_of(problem)}), so nothing was written.",
            hint="Make room on the disk, or allow writing to that folder, and run the command again.",
        ) from None
    for old in sorted(folder.glob(f"*-{digest}-*"))[:-MOST]:
        with contextlib.suppress(OSError):
            old.unlink()
    return path
