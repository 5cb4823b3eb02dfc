"""What every test shares."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The bridge runs on asyncio, so its tests do too."""
    return "asyncio"
