"""Files as mcp-remote writes them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_sign_in(
    folder: Path,
    digest: str,
    tokens: Mapping[str, Any],
    client: Mapping[str, Any] | None = None,
    *,
    version: str = "mcp-remote-0.1.38",
    written_at: float | None = None,
) -> Path:
    """Write the tokens and the client that one version keeps under `digest`; returns the file of the tokens."""
    own = folder / version
    own.mkdir(parents=True, exist_ok=True)
    path = own / f"{digest}_tokens.json"
    path.write_text(json.dumps(tokens, indent=2))
    if client is not None:
        (own / f"{digest}_client_info.json").write_text(json.dumps(client, indent=2))
    if written_at is not None:
        os.utime(path, (written_at, written_at))
    return path
