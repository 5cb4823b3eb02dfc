"""How many examples Hypothesis tries: few and always the same in an ordinary run, many and new ones where asked for."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

VARIABLE = "BRIDGE_TEST_EXAMPLES"
"""By how much the number of examples is multiplied; above 1, other ones are tried in every run.

`scripts/test.py --fast` makes them fewer.
"""


def multiplied(count: int) -> int:
    """So many examples, or the multiple that the environment asks for."""
    return max(1, round(count * float(os.environ.get(VARIABLE) or 1)))


def use_the_same_examples() -> None:
    """Have every test of Hypothesis try the same examples in an ordinary run, with no database and no deadline."""
    is_ordinary = float(os.environ.get(VARIABLE) or 1) <= 1
    settings.register_profile("bridge", derandomize=is_ordinary, database=None, deadline=None)
    settings.load_profile("bridge")


def examples(count: int) -> settings:
    """Settings for `count` examples, or the multiple that the environment asks for; no database is kept."""
    factor = float(os.environ.get(VARIABLE) or 1)
    return settings(
        max_examples=multiplied(count),
        derandomize=factor <= 1,
        database=None,
        deadline=None,
        # To explain a failure costs a hundred runs more; each of these has sockets. So has each step of shrinking.
        phases=[Phase.explicit, Phase.generate, *([Phase.shrink] if factor <= 1 else [])],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        print_blob=True,
    )
