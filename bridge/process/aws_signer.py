"""Signs requests for AWS (Signature Version 4) with botocore, which the user installs beside the bridge.

| what | how |
|---|---|
| credentials | found as AWS programs find them (variables, profiles, SSO, roles), and renewed by botocore |
| other credentials | read again every `_RELOAD` seconds, because another program may have renewed them in a file |
| what is signed | `Host`, `Content-Type`, `X-Amz-*` and the body's digest, for a proxy may change any other header |
| where | in a thread, because finding credentials reads files and may use the network |
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from bridge import PROGRAM
from bridge.config.aws_sigv4 import OPTION
from bridge.errors import BridgeError, UsageError
from bridge.process.redact import Redactor
from bridge.protocol.sanitize import problem_text
from bridge.remote.signing import UnsignedRequest
from bridge.store.worker import Worker

_SECONDS = 30.0
_RELOAD = 300.0
_DIGEST = "X-Amz-Content-SHA256"


class AwsSigner:
    """A `remote.signing.RequestSigner`. Raises `UsageError` where botocore is not there."""

    def __init__(
        self, service: str, region: str, redactor: Redactor, clock: Callable[[], float] = time.monotonic
    ) -> None:
        try:
            import botocore.auth
            import botocore.awsrequest
            import botocore.exceptions
            import botocore.session
        except ImportError:
            raise UsageError(
                f"{OPTION} needs the Python package botocore, which is not installed beside the bridge.",
                hint=f"Run: pipx inject {PROGRAM} botocore",
            ) from None
        self._botocore: Any = botocore
        self._service, self._region = service, region
        self._redactor = redactor
        self._clock = clock
        self._credentials: Any = None
        self._read_at = 0.0
        self._known = ""
        self._worker = Worker("aws-signer")

    async def sign(self, request: UnsignedRequest) -> tuple[tuple[bytes, bytes], ...]:
        """The headers that AWS wants. Raises `BridgeError` where there are no credentials."""
        try:
            return await self._worker.run(lambda _: self._signed(request), _SECONDS)
        except TimeoutError:
            raise BridgeError(
                f"The AWS credentials for {OPTION} were not found within {_SECONDS:g} s.",
                hint="Try in a terminal: aws sts get-caller-identity",
            ) from None
        except self._botocore.exceptions.BotoCoreError as problem:
            why = self._redactor(problem_text(problem))
            raise BridgeError(
                f"The AWS credentials for {OPTION} cannot be used: {why}.",
                hint="Sign in to AWS again, for example with: aws sso login",
            ) from None

    def _signed(self, request: UnsignedRequest) -> tuple[tuple[bytes, bytes], ...]:
        given = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers if _is_signed(name)}
        unsigned = self._botocore.awsrequest.AWSRequest(
            method=request.method, url=request.url, headers={**given, _DIGEST: request.digest}
        )
        self._botocore.auth.SigV4Auth(self._frozen(), self._service, self._region).add_auth(unsigned)
        known = {name.lower() for name in given}
        return tuple(
            (name.encode("ascii"), value.encode("ascii"))
            for name, value in unsigned.headers.items()
            if name.lower() not in known
        )

    def _frozen(self) -> Any:
        """The credentials as they are now."""
        found = self._credentials
        is_old = self._clock() - self._read_at >= _RELOAD and not hasattr(found, "refresh_needed")
        if found is None or is_old:
            found = self._credentials = self._botocore.session.Session().get_credentials()
            self._read_at = self._clock()
        if found is None:
            raise BridgeError(
                f"There are no AWS credentials for {OPTION}.",
                hint="Run: aws configure , or set AWS_PROFILE in the env of the host's entry for this server.",
            )
        frozen = found.get_frozen_credentials()
        if frozen.secret_key != self._known:
            self._known = frozen.secret_key
            for secret in (frozen.secret_key, frozen.token or ""):
                self._redactor.add(secret)
        return frozen


def _is_signed(name: bytes) -> bool:
    name = name.lower()
    return name in {b"host", b"content-type"} or name.startswith(b"x-amz-")
