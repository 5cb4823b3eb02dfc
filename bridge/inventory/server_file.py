"""The user's own file of servers: where it is, and what is in it. `cli` says what its members mean.

| the file | |
|---|---|
| where | what `--config` or MCP_BRIDGE_CONFIG names, else `config.json` in the folder of `store/roots` |
| form | JSON, with or without comments, trailing commas and a byte order mark |
| content | `{"$schema": ..., "defaults": {...}, "mcpServers": {NAME: {"url": ..., ...}}}` |
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bridge.documents.reading import BrokenConfig, parse_json, read_text
from bridge.store.roots import config_root

SCHEMA, DEFAULTS, SERVERS = "$schema", "defaults", "mcpServers"
"""The members of the file."""


class ServerFile(msgspec.Struct, frozen=True):
    """The file, read. `has_duplicates`: an object in it has two members of one name; `content` has the last."""

    path: Path
    text: str
    content: object
    has_duplicates: bool = False

    @property
    def servers(self) -> Mapping[str, Any]:
        """The servers by name, as they are in the file; none where the file is not of that form."""
        return self._table(SERVERS)

    @property
    def defaults(self) -> Mapping[str, Any]:
        """What holds for all servers, as it is in the file."""
        return self._table(DEFAULTS)

    def _table(self, name: str) -> Mapping[str, Any]:
        table = self.content.get(name) if isinstance(self.content, dict) else None
        return table if isinstance(table, dict) else {}


def server_file_path(named: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Where the file is, whether or not it exists; None where none is named and the user has no home."""
    if named is not None:
        return named.absolute()
    folder = config_root(sys.platform, environ)
    # A relative folder would be one of whoever chose the working folder.
    return folder / "config.json" if folder.is_absolute() else None


def read_server_file(path: Path | None) -> ServerFile | None:
    """The file; None where it is missing. Raises `BrokenConfig`."""
    text = None if path is None else read_text(path)
    if path is None or text is None:
        return None
    has_duplicates = False

    def made(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal has_duplicates
        members = dict(pairs)
        has_duplicates = has_duplicates or len(members) < len(pairs)
        return members

    try:
        content = parse_json(text, made)
    except RecursionError:
        raise BrokenConfig("it is nested too deeply") from None
    return ServerFile(path, text, {} if content is None else content, has_duplicates)
