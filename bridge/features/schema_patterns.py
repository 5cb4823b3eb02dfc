r"""Whether JavaScript compiles a regular expression with the flag `u`, as ajv does it (ECMA-262, 22.2.1).

Only what is certain counts: a pattern that Python compiles as well, without the parts that only one of both knows. So
the answer no says that it may fail.
"""

from __future__ import annotations

import re

_LONGEST = 2000
# An escape that both know, a group that both know, or any other character that begins neither.
_KNOWN = re.compile(
    r"(?:\\(?:[dDwWsSbBtnrfv^$\\.*+?()\[\]{}|/]|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[1-9])"
    r"|\((?!\?)|\(\?(?:[:=!]|<[=!])"
    r"|[^\\(])*"
)
# A bare brace, a possessive quantifier, and what may become a set operation in Python.
_ONE_SIDED = re.compile(r"(?<!\\)\{(?!\d+(?:,\d*)?\})|\}[+]|[*+?][+]|\[\[|--|&&|~~|\|\|")


def is_pattern(pattern: str) -> bool:
    """Whether JavaScript surely compiles it."""
    if len(pattern) > _LONGEST or not _KNOWN.fullmatch(pattern) or _ONE_SIDED.search(pattern):
        return False
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return False
    return True
