"""The headers of `--header-file`, which are read again when the file changes, and stay where it is broken."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from bridge.cli.settings import settings_of
from bridge.config import Settings
from bridge.process.header_file import HeaderFile
from bridge.process.redact import Redactor

pytestmark = pytest.mark.anyio

URL = "https://a.example/mcp"
SECRET = "hunter2-Zq4"


class Watched:
    """A header file, and what becomes of it."""

    def __init__(self, path: Path, text: str = "X-Key: one\nX-Team: blue\n", *typed: str) -> None:
        self.path = path
        path.write_text(text)
        self.redactor = Redactor()
        self.made: list[Settings] = []
        self.settings = settings_of([URL], {"header_file": path, "header": typed}, os.environ)
        self.file = HeaderFile(self.settings, self.redactor, self.made.append)

    def write(self, text: str) -> None:
        """Replace the file as editors do, so that it is another one however coarse the clock is."""
        new = self.path.with_suffix(".new")
        new.write_text(text)
        new.replace(self.path)

    async def request(self) -> dict[str, str]:
        """What a request does; the headers that it would carry."""
        if self.file.has_changed():
            await self.file.read()
        return dict((self.made[-1] if self.made else self.settings).headers)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "headers")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


async def test_a_file_that_stays_is_not_read_again(watched: Watched) -> None:
    assert await watched.request() == {"X-Key": "one", "X-Team": "blue"}
    assert watched.made == []


async def test_the_next_request_carries_what_the_file_says_now(watched: Watched) -> None:
    watched.write(f"X-Key: {SECRET}\n# X-Team: red\n")
    assert await watched.request() == {"X-Key": SECRET}
    assert not watched.file.has_changed()
    assert SECRET not in watched.redactor(f"sent {SECRET}")


async def test_requests_at_the_same_time_read_it_once(watched: Watched) -> None:
    watched.write("X-Key: two\n")
    assert await asyncio.gather(*(watched.request() for _ in range(4))) == [{"X-Key": "two"}] * 4
    assert len(watched.made) == 1


async def test_headers_that_were_typed_stay(tmp_path: Path) -> None:
    watched = Watched(tmp_path / "headers", "X-Key: file\n", "X-Key: typed", "X-A: b")
    watched.write("x-key: new\nX-Team: red\n")
    assert await watched.request() == {"X-Team": "red", "X-Key": "typed", "X-A": "b"}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (SECRET, "line 1: A header is not of the form"),
        ("X-Key: ${NO_SUCH_VARIABLE_1}", "needs the environment variable NO_SUCH_VARIABLE_1"),
        (f"X-Key: a\nHost: {SECRET}", "line 2: The bridge sets the header Host itself"),
        ("X-Key: env:NO_SUCH_VARIABLE_1", "needs the environment variable NO_SUCH_VARIABLE_1"),
        ("", "has no header any more"),
        (f"X-Key: a\nAuthorization: Bearer {SECRET}", "Start the server again in the host"),
    ],
)
async def test_a_broken_file_is_warned_of_once_and_the_headers_stay(
    text: str, what: str, watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.write(text)
    for _ in range(3):
        assert await watched.request() == {"X-Key": "one", "X-Team": "blue"}
    [said] = warnings(caplog)
    assert said.startswith("the headers stay as they were: ")
    assert what in said
    assert SECRET not in said
    watched.write("X-Key: good\n")
    assert await watched.request() == {"X-Key": "good"}


async def test_a_file_that_is_gone_is_warned_of_and_used_again_when_it_is_back(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.path.unlink()
    for _ in range(3):
        assert (await watched.request())["X-Key"] == "one"
    assert "cannot be read" in warnings(caplog)[0]
    assert len(warnings(caplog)) == 1
    watched.write("X-Key: back\n")
    assert await watched.request() == {"X-Key": "back"}


async def test_a_reference_in_the_new_file_is_followed(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TEST_KEY", SECRET)
    code = "import os; print('MY_TEST_KEY' in os.environ)"
    watched.write(f'X-Key: env:MY_TEST_KEY\nX-Seen: cmd:"{sys.executable}" -c "{code}"\n')
    assert await watched.request() == {"X-Key": SECRET, "X-Seen": "False"}
