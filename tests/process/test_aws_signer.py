"""Signatures for AWS, with a stand-in for botocore, and, where botocore is installed, computed once more by hand."""

import hashlib
import hmac
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from bridge.config import Settings
from bridge.errors import BridgeError, UsageError
from bridge.process.aws_signer import AwsSigner
from bridge.process.redact import Redactor
from bridge.remote.signing import UnsignedRequest, digest_of

pytestmark = pytest.mark.anyio

HAS_BOTOCORE = find_spec("botocore") is not None
URL = "https://a.example/runtimes/arn%3Aaws%3Ax/invocations?qualifier=DEFAULT&a=b"
KEY_ID, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "s3ssion-t0ken"
BODY = b'{"jsonrpc":"2.0"}'


def request(method: str = "POST", digest: str = hashlib.sha256(BODY).hexdigest()) -> UnsignedRequest:
    headers = (
        (b"host", b"a.example"),
        (b"content-type", b"application/json"),
        (b"accept", b"*/*"),
        (b"X-Amz-Team", b"blue"),
    )
    return UnsignedRequest(method, URL, headers, digest)


class Failure(Exception):
    """What botocore raises."""


class StandIn:
    """What the signer uses of botocore: it signs with what it was given, in words."""

    def __init__(self) -> None:
        self.sessions = 0
        self.credentials: Any = SimpleNamespace(get_frozen_credentials=self._frozen)
        self.problem: Exception | None = None

    def _frozen(self) -> SimpleNamespace:
        if self.problem is not None:
            raise self.problem
        return SimpleNamespace(access_key=KEY_ID, secret_key=SECRET, token=TOKEN)

    def session(self) -> SimpleNamespace:
        self.sessions += 1
        return SimpleNamespace(get_credentials=lambda: self.credentials)

    def modules(self) -> dict[str, ModuleType]:
        made = {
            name: ModuleType(name)
            for name in (
                "botocore",
                *(f"botocore.{part}" for part in ("auth", "awsrequest", "exceptions", "session")),
            )
        }

        class Signature:
            def __init__(self, credentials: Any, service: str, region: str) -> None:
                self.text = f"{credentials.access_key} {service} {region}"

            def add_auth(self, unsigned: SimpleNamespace) -> None:
                signed = ";".join(sorted(name.lower() for name in unsigned.headers))
                unsigned.headers["Authorization"] = f"AWS4 {self.text} {unsigned.method} {signed}"

        for name, member, value in (
            ("auth", "SigV4Auth", Signature),
            ("awsrequest", "AWSRequest", SimpleNamespace),
            ("exceptions", "BotoCoreError", Failure),
            ("session", "Session", self.session),
        ):
            setattr(made[f"botocore.{name}"], member, value)
            setattr(made["botocore"], name, made[f"botocore.{name}"])
        return made


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    made = StandIn()
    for name, module in made.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    return made  # type: ignore[return-value]


async def test_host_type_digest_and_amazons_headers_are_signed_and_no_others(stand_in: StandIn) -> None:
    redactor = Redactor()
    found = dict(await AwsSigner("service", "region-1", redactor).sign(request()))
    assert found == {
        b"X-Amz-Content-SHA256": hashlib.sha256(BODY).hexdigest().encode(),
        b"Authorization": b"AWS4 AKIDEXAMPLE service region-1 POST content-type;host;x-amz-content-sha256;x-amz-team",
    }
    assert redactor(f"{SECRET} and {TOKEN}") == "*** and ***"


async def test_credentials_that_nothing_renews_are_read_again_now_and_then(stand_in: StandIn) -> None:
    now = 0.0
    signer = AwsSigner("service", "region-1", Redactor(), lambda: now)
    for now in (0.0, 1.0, 299.0):  # noqa: B007 - the signer's clock reads it
        await signer.sign(request())
    assert stand_in.sessions == 1
    now = 301.0
    await signer.sign(request())
    assert stand_in.sessions == 2
    stand_in.credentials.refresh_needed = lambda: False
    now = 9999.0
    await signer.sign(request())
    assert stand_in.sessions == 2


async def test_no_credentials_are_told_with_what_to_do(stand_in: StandIn) -> None:
    stand_in.credentials = None
    with pytest.raises(BridgeError, match=r"There are no AWS credentials for --aws-sigv4\. Run: aws configure"):
        await AwsSigner("service", "region-1", Redactor()).sign(request())


async def test_credentials_that_cannot_be_renewed_are_told_without_secrets(stand_in: StandIn) -> None:
    redactor = Redactor()
    signer = AwsSigner("service", "region-1", redactor)
    await signer.sign(request())
    stand_in.problem = Failure(f"Token {SECRET} has expired and refresh failed")
    with pytest.raises(BridgeError, match=r"cannot be used: Token \*\*\* has expired and refresh failed\. Sign in"):
        await signer.sign(request())


@pytest.mark.skipif(HAS_BOTOCORE, reason="botocore is installed")
def test_without_botocore_the_error_says_how_to_install_it() -> None:
    with pytest.raises(UsageError, match=r"Run: pipx inject mcp-remote-bridge botocore$"):
        AwsSigner("service", "region-1", Redactor())


@pytest.mark.parametrize("text", ["a", "a/", "/b", "a/b/c", "A/b", "a b/c", "a/-"])
def test_what_is_no_service_and_region_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--aws-sigv4 must be SERVICE/REGION"):
        Settings(URL, aws_sigv4=text)


def test_nothing_else_may_give_the_authorization_header() -> None:
    assert not Settings(URL, aws_sigv4="a/b").signs_in
    for other in ({"header_command": "x"}, {"headers": (("authorization", "x"),)}):
        with pytest.raises(UsageError, match="Leave out one"):
            Settings(URL, aws_sigv4="a/b", **other)


async def test_the_digest_of_a_large_body_is_that_of_a_small_one() -> None:
    for body in (None, b"", BODY, b"x" * 3_000_000):
        assert await digest_of(body) == hashlib.sha256(body or b"").hexdigest()


@pytest.mark.skipif(not HAS_BOTOCORE, reason="botocore is not installed")
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
async def test_the_signature_is_what_the_standard_computes(
    method: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in (
        ("AWS_ACCESS_KEY_ID", KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_SESSION_TOKEN", TOKEN),
        ("AWS_CONFIG_FILE", str(tmp_path / "none")),
    ):
        monkeypatch.setenv(name, value)
    body = BODY if method == "POST" else b""
    unsigned = request(method, hashlib.sha256(body).hexdigest())
    found = dict(await AwsSigner("bedrock-agentcore", "eu-central-1", Redactor()).sign(unsigned))
    assert found[b"X-Amz-Security-Token"] == TOKEN.encode()
    sent = {**{name: value for name, value in unsigned.headers if name != b"accept"}, **found}
    given = sent.pop(b"Authorization").decode()
    assert given == by_hand(method, {name.decode().lower(): value.decode() for name, value in sent.items()}, body)


def by_hand(method: str, headers: dict[str, str], body: bytes) -> str:
    """The Authorization header (AWS, Create a signed AWS API request)."""
    parts = urlsplit(URL)
    names = ";".join(sorted(headers))
    canonical = "\n".join(
        (
            method,
            quote(parts.path, safe="/-_.~"),
            "&".join(sorted(parts.query.split("&"))),
            *(f"{name}:{headers[name]}" for name in sorted(headers)),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        )
    )
    date = headers["x-amz-date"]
    scope = f"{date[:8]}/eu-central-1/bedrock-agentcore/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    return f"AWS4-HMAC-SHA256 Credential={KEY_ID}/{scope}, SignedHeaders={names}, Signature={signature}"
