"""The command `callback`, as a process."""

import os
import sys

import pytest

from bridge.cli.main import main
from tests.support.oauth.site import LOGIN, Site
from tests.support.oauth.user import fetch
from tests.support.process.bridge_command import run_command, start_command

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("way", ["argument", "stdin"])
async def test_it_finishes_the_login_of_another_terminal_and_says_whose_it_was(way: str) -> None:
    async with Site() as site, start_command(site, "login", site.server.url, "--no-browser") as login:
        await login.says(site.authority.url("authorize"), LOGIN)
        link = next(word for word in login.said.split() if word.startswith(site.authority.url("authorize")))
        ended = dict((await fetch(link)).headers)["location"]
        words = (ended,) if way == "argument" else ()
        async with start_command(site, "callback", *words) as callback:
            if not words:
                await callback.type(ended)
            assert await callback.wait(LOGIN) == 0, callback.said
            assert (callback.out, callback.err) == (f"Signed in to {site.server.url}.\n", "")
        assert await login.wait(LOGIN) == 0, login.said


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("http://localhost:1/callback?code=planted&state=planted", 1, "No sign-in is in progress"),
        ("planted", 2, "state"),
        ("", 2, "Nothing was pasted"),
    ],
    ids=["nobodys", "no-address", "empty"],
)
async def test_what_nobody_can_take_is_one_sentence_without_what_was_pasted(text: str, code: int, says: str) -> None:
    async with Site() as site:
        ended, said = await run_command(site, "callback", text)
        assert (ended, said.count("\n")) == (code, 1)
        assert says in said
        assert "planted" not in said


async def test_with_nothing_on_stdin_there_is_nothing_to_take() -> None:
    async with Site() as site:
        code, said = await run_command(site, "callback")
        assert code == 2
        assert "Nothing was pasted" in said


@pytest.mark.skipif(sys.platform == "win32", reason="no pty there")
async def test_at_a_terminal_it_asks() -> None:
    import pty

    async with Site() as site:
        near, far = pty.openpty()
        os.write(near, b"nonsense\n")
        try:
            async with start_command(site, "callback", stdin=far) as callback:
                assert await callback.wait() == 2
                assert callback.err.startswith("Paste the address at which the browser ended, then press Enter:\n")
        finally:
            os.close(near)
            os.close(far)


@pytest.mark.parametrize("text", [b"\xff\xfe\x00", b"\x80code=c\n"], ids=["utf-16", "code-page"])
async def test_whatever_is_on_stdin_is_no_defect(text: bytes) -> None:
    strict = {"PYTHONIOENCODING": "utf-8:strict"}
    async with Site() as site, start_command(site, "callback", env=strict) as callback:
        assert callback.process.stdin
        callback.process.stdin.write(text)
        callback.close_stdin()
        assert await callback.wait() == 2
        assert "mcp-remote-bridge: error: " in callback.err
        assert "a bug in" not in callback.err


def test_without_a_stdin_nothing_was_pasted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(SystemExit) as ended:
        main(["callback"])
    assert ended.value.code == 2
    assert "Nothing was pasted" in capsys.readouterr().err
