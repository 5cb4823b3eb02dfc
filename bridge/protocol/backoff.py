"""How long to wait before the next try: a first pause, doubled each time, up to a longest one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import NamedTuple


class Backoff(NamedTuple):
    """`first` and `longest` in seconds. Each use is a row of figures; the rule is here."""

    first: float
    longest: float

    def before(self, retry: int) -> float:
        """Seconds to wait before this retry; 1 is the first."""
        return min(self.longest, self.first * 2.0 ** min(retry - 1, 60))

    def pauses(self) -> Iterator[float]:
        """The pauses before the first retry, the second and so on, without an end."""
        return map(self.before, count(1))
