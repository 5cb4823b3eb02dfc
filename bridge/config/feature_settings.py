"""The settings for what the host gets of the server's tools, prompts and resources."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from bridge.errors import UsageError

MergePages = Literal["auto", "on", "off"]

MERGE_PAGES = ("auto", "on", "off")

PATTERNS = ("tools", "hide_tools", "ignore_tool", "prompts", "hide_prompts", "resources", "hide_resources")
"""The members that hold patterns."""

LEAST_RESULT = 1000
"""The least that `max_result` can be: the host must at least get the path of the file."""

_MOST_PATTERNS = 1000
_LONGEST_PATTERN = 1000


class FeatureSettings(msgspec.Struct, frozen=True):
    """The settings of `bridge.features`. The constructor checks them all and raises `UsageError` for a bad one.

    `pass_through`: every message passes as it came, and nothing here has an effect. `merge_pages`: whether a host gets
    all pages of a list at once; `auto`: where it is known to read only the first. `tools` to `hide_resources` are
    patterns of names and URIs (`features/permissions`). `read_only`: only tools that say that they only read.
    `pin_tools`: a tool stays as it was first seen, until the user accepts a change (`features/pins`).

    `keep_alive`: after how much silence the bridge speaks itself. `tool_timeout`: how long a call of a tool may take in
    all, with `pass_through` too. Times are in seconds; None: never. `max_result`: the bytes of the largest result of a
    tool that the host gets whole; None or 0: any.
    """

    pass_through: bool = False
    merge_pages: MergePages = "auto"
    tools: tuple[str, ...] = ()
    hide_tools: tuple[str, ...] = ()
    ignore_tool: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    hide_prompts: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    hide_resources: tuple[str, ...] = ()
    read_only: bool = False
    pin_tools: bool = False
    keep_alive: float | None = None
    tool_timeout: float | None = None
    max_result: int | None = None

    def __post_init__(self) -> None:
        """Check what the types do not."""
        if self.merge_pages not in MERGE_PAGES:
            raise UsageError(f"Unknown value {self.merge_pages!r} of --merge-pages: choose auto, on or off.")
        for name in PATTERNS:
            _check_patterns(getattr(self, name), option_of(name))
        changing = [name for name in (*PATTERNS, "read_only", "pin_tools", "max_result") if getattr(self, name)]
        if self.pass_through and changing:
            raise UsageError(
                f"--pass-through passes everything, and {option_of(changing[0])} does not.",
                hint="Leave one of the two out.",
            )
        for seconds, option in ((self.keep_alive, "--keep-alive"), (self.tool_timeout, "--tool-timeout")):
            if seconds is not None and not (seconds > 0 and math.isfinite(seconds)):
                raise UsageError(f"{option} must be more than 0 seconds, not {seconds:g}.")
        if self.max_result and self.max_result < LEAST_RESULT:
            raise UsageError(
                f"--max-result must be {LEAST_RESULT} bytes or more, not {self.max_result}.",
                hint="Without it, or with 0, the host gets every result whole.",
            )


def option_of(name: str) -> str:
    """The option that sets a member: `hide_tools` is --hide-tools."""
    return f"--{name.replace('_', '-')}"


def _check_patterns(patterns: tuple[str, ...], option: str) -> None:
    for pattern in patterns:
        if not pattern.strip():
            raise UsageError(f"A pattern of {option} is empty.", hint=f"Write a name such as {option} 'get_*'.")
        if len(pattern) > _LONGEST_PATTERN:
            raise UsageError(f"A pattern of {option} has more than {_LONGEST_PATTERN} characters.")
    if len(patterns) > _MOST_PATTERNS:
        raise UsageError(f"{option} was given more than {_MOST_PATTERNS} times.")
