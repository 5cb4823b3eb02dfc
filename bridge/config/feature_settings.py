"""The settings for what the host gets of the server's tools, prompts and resources."""

from __future__ import annotations

from typing import Literal

import msgspec

from bridge.errors import UsageError

MergePages = Literal["auto", "on", "off"]

MERGE_PAGES = ("auto", "on", "off")


class FeatureSettings(msgspec.Struct, frozen=True):
    """The settings of `bridge.features`. The constructor checks them all and raises `UsageError` for a bad one.

    `pass_through`: every message passes as it came, and nothing here has an effect. `merge_pages`: whether a host gets
    all pages of a list at once; `auto`: where it is known to read only the first.
    """

    pass_through: bool = False
    merge_pages: MergePages = "auto"

    def __post_init__(self) -> None:
        """Check what the types do not."""
        if self.merge_pages not in MERGE_PAGES:
            raise UsageError(f"Unknown value {self.merge_pages!r} of --merge-pages: choose auto, on or off.")
