"""The pinned tools of one server, for the command that shows them."""

from __future__ import annotations

from bridge.features.pins import PinBook
from bridge.store.paths import platform_paths
from bridge.store.pin_files import PinFile


def pinned_tools(store_key: str) -> PinBook:
    """The pins of the server and profile that a sign-in's store key names."""
    return PinFile(platform_paths(), store_key)
