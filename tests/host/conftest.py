"""What the host's tests share."""

import contextlib
import os
from collections.abc import Callable, Iterator

import pytest

MakePipe = Callable[[], tuple[int, int]]


@pytest.fixture
def make_pipe() -> Iterator[MakePipe]:
    """Makes pipes, and closes what a test left open of them, the reading end first: a blocked writer then wakes."""
    descriptors: list[int] = []

    def make() -> tuple[int, int]:
        pair = os.pipe()
        descriptors.extend(pair)
        return pair

    yield make
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
