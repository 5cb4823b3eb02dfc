"""The settings for what the host gets of the server's tools, prompts and resources."""

from __future__ import annotations

import msgspec


class FeatureSettings(msgspec.Struct, frozen=True):
    """The settings of `bridge.features`. The constructor checks them all and raises `UsageError` for a bad one.

    `pass_through`: every message passes as it came, and nothing here has an effect.
    """

    pass_through: bool = False
