"""The protected site itself: that it is as strict as it says, and that its checks can fail."""

import asyncio
import base64
import hashlib
import json
import re
import sys
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlencode

import pytest

from tests.support.in_process.site import InProcessSite
from tests.support.oauth.site import Site
from tests.support.oauth.user import asked, fetch, visit
from tests.support.process.bridge_process import ROOT, BridgeProcess, Line

pytestmark = pytest.mark.anyio

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
CALLBACK = "http://localhost:1/callback"


async def code(site: Site, **changes: str) -> str:
    parameters = {
        "response_type": "code",
        "client_id": "me",
        "redirect_uri": CALLBACK,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "resource": site.server.url,
        "state": "s",
    }
    page = await fetch(site.authority.url("authorize") + "?" + urlencode(parameters | changes))
    return asked(dict(page.headers)["location"])["code"]


async def token(site: Site, grant: str, **sent: str) -> tuple[int, dict[str, Any]]:
    form = {"grant_type": grant, "client_id": "me", "resource": site.server.url, **sent}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    page = await fetch(site.authority.url("token"), "POST", headers, urlencode(form).encode())
    return page.status, json.loads(page.text)


async def first_tokens(site: Site) -> dict[str, Any]:
    site.authority.add_client("me")
    sent = {"code": await code(site), "code_verifier": VERIFIER, "redirect_uri": CALLBACK}
    status, tokens = await token(site, "authorization_code", **sent)
    assert status == 200
    return tokens


async def test_a_spent_refresh_token_revokes_all_of_its_family() -> None:
    async with Site() as site:
        tokens = await first_tokens(site)
        assert (await token(site, "refresh_token", refresh_token=tokens["refresh_token"]))[0] == 200
        assert (await token(site, "refresh_token", refresh_token=tokens["refresh_token"]))[0] == 400
        assert site.authority.ledger.reuses == 1
        assert not any(site.authority.ledger.valid(one) for one in site.authority.ledger.access)
        with pytest.raises(AssertionError, match="spent refresh token"):
            site.check()
        site.allows_reuse = True


@pytest.mark.parametrize(
    "change",
    [{"code_verifier": "w" * 43}, {"redirect_uri": "http://localhost:2/callback"}, {"resource": "https://x.example"}],
)
async def test_a_code_is_good_only_with_what_it_was_asked_for(change: dict[str, str]) -> None:
    async with Site() as site:
        site.authority.add_client("me")
        sent = {"code": await code(site), "code_verifier": VERIFIER, "redirect_uri": CALLBACK}
        assert (await token(site, "authorization_code", **(sent | change)))[0] == 400
        assert (await token(site, "authorization_code", **sent))[0] == 400, "and good once"
        with pytest.raises(AssertionError, match="a code was used twice"):
            site.check()
        site.authority.requests.clear()


async def test_the_server_wants_a_token_of_its_authority() -> None:
    async with Site() as site:
        message = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "x"}})
        for bearer, status in (("nothing", 401), ((await first_tokens(site))["access_token"], 200)):
            page = await fetch(site.server.url, "POST", {"Authorization": f"Bearer {bearer}"}, message.encode())
            assert page.status == status


async def test_the_browser_goes_all_the_way_and_says_where_it_was() -> None:
    async with Site() as site:
        site.server.pages["/done"] = lambda exchange: exchange.respond(200, b"arrived", "text/html")
        start = site.server.origin + "/done?x=%20y"
        program = [sys.executable, str(ROOT / "tests/support/oauth/browser_program.py"), start]
        process = await asyncio.create_subprocess_exec(
            *program,
            env=site.person.environment(),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert await process.wait() == 0
        assert site.person.opened == [start]
        assert (await site.person.until_page()).text == "arrived"
        assert (await visit(start)).text == "arrived"


@pytest.mark.parametrize("place", ["stderr", "stdout", "log", "file"])
async def test_a_secret_that_got_out_is_found(place: str) -> None:
    async with Site() as site:
        secret = site.authority.ledger.secret("access")
        host = SimpleNamespace(stderr=["fine"], lines=[Line(b'{"fine": 1}', {})])
        site.bridges.append(cast("BridgeProcess", host))
        site.check()
        path = site.person.home / "tokens"
        if place == "stderr":
            host.stderr.append(f"token {secret}")
        elif place == "stdout":
            host.lines.append(Line(f'{{"x": "{secret}"}}'.encode(), {}))
        elif place == "log":
            site.log_file.write_text(secret)
        else:
            path.write_text(secret)
            path.chmod(0o644)
        if place == "file" and sys.platform == "win32":
            return
        with pytest.raises(AssertionError, match=r"stderr|stdout|log file|mode"):
            site.check()
        site.bridges.clear()
        site.log_file.unlink(missing_ok=True)
        path.unlink(missing_ok=True)


async def test_a_token_at_the_wrong_address_is_found() -> None:
    async with Site() as site:
        secret = site.authority.ledger.secret("access")
        await fetch(site.authority.url("authorize"), headers={"Authorization": f"Bearer {secret}"})
        with pytest.raises(AssertionError, match="credentials with a GET"):
            site.check()
        site.authority.requests.clear()


async def test_a_bridge_in_threads_logs_what_one_in_processes_logs() -> None:
    assert await logged_by(InProcessSite()) == await logged_by(Site())


async def logged_by(site: Site) -> list[list[str]]:
    """What three runs write to stderr and to the log file, without what differs from run to run."""
    async with site:
        await site.sign_in(log="info")
        site.authority.ledger.expire_access()
        await site.sign_in(log="info")
        site.authority.ledger.revoke_all()
        await site.sign_in(log="info")
        file = [line.partition(" ")[2].partition(" ")[2] for line in site.log_file.read_text().splitlines()]
        texts = [*(bridge.stderr for bridge in site.bridges), file]
        changing = (
            re.escape(str(site.folder)),
            *(r":\d+", r"%3A\d+", r"-\d+&", r"(?<==)[\w-]{43}", r"[0-9a-f]{12,}"),
            r"[\d.]+ s\b",  # Times are longer where the machine is busy.
            r" \([A-Z_, ]+ taken from process \d+ \([^)]*\)\)",  # Threads have the desktop of the test itself.
        )
        return [sorted(re.sub("|".join(changing), "...", line) for line in lines) for lines in texts]
