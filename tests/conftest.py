"""What every test shares."""

from collections.abc import Generator

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The bridge runs on asyncio, so its tests do too."""
    return "asyncio"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape lone surrogates in what a test logged: a worker cannot send them."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report
