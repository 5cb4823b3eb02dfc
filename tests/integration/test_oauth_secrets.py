"""Planted secrets: whatever a server throws back, nothing secret gets out.

Every test with a `Site` looks for every code, verifier, state, token and client secret on stderr, in the log, on
stdout and in files that others can read. Here servers go out of their way to have them told.

More cases, without processes, are in `tests/app/test_oauth_secrets.py`.
"""

import os
import stat
import sys
from pathlib import Path

import pytest

from tests.support.oauth.answers import refuse
from tests.support.oauth.authority import form
from tests.support.oauth.site import Site
from tests.support.servers.fault_http import Exchange

pytestmark = pytest.mark.anyio


async def test_a_token_endpoint_that_quotes_the_request_in_its_error() -> None:
    async with Site() as site, site.bridge() as host:

        async def quotes(exchange: Exchange) -> None:
            sent = form(exchange.request)
            await refuse(exchange, 400, "invalid_grant", f"{sent['code']} with {sent['code_verifier']} is bad")

        site.authority.always("token", quotes)
        answer = await site.failed(host, 60)
        assert "is bad" in answer.error["message"]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
async def test_folders_and_files_are_the_owners_own_whatever_the_umask() -> None:
    async with Site() as site:
        before = os.umask(0)
        try:
            await site.sign_in()
        finally:
            os.umask(before)
        (token,) = site.authority.ledger.access
        held = [path for path in site.person.files() if token.encode() in path.read_bytes()]
        assert held
        for path in held:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        # `Prompt.check_files` looks at the mode.


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_no_secret_is_in_the_command_line_or_environment_of_the_bridge() -> None:
    async with Site() as site, site.bridge() as host:
        await site.begin(host)
        process = Path("/proc") / str(host.process.pid)
        told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        for secret, kind in (site.secrets | dict.fromkeys(site.states, "state")).items():
            assert secret.encode() not in told, kind
