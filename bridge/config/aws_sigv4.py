"""What `--aws-sigv4` names: the service and the region that AWS signatures are for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bridge.errors import UsageError

if TYPE_CHECKING:
    from bridge.config.settings import Settings

OPTION = "--aws-sigv4"

_NAME = r"[a-z0-9][a-z0-9-]{0,62}"


def sigv4_scope(text: str) -> tuple[str, str]:
    """Service and region of `SERVICE/REGION`. Raises `UsageError`."""
    found = re.fullmatch(rf"({_NAME})/({_NAME})", text)
    if found is None:
        raise UsageError(
            f"{OPTION} must be SERVICE/REGION.", hint=f"An example is {OPTION} bedrock-agentcore/eu-central-1"
        )
    return found[1], found[2]


def check_aws_sigv4(settings: Settings) -> None:
    """Raise `UsageError` where the option is wrong, or something else gives the `Authorization` header too."""
    sigv4_scope(settings.aws_sigv4)
    has_header = any(name.lower() == "authorization" for name, _ in settings.headers)
    if settings.header_command or has_header:
        other = "--header-command" if settings.header_command else "an Authorization header"
        raise UsageError(f"{OPTION} signs each request, so {other} cannot be sent as well.", hint="Leave out one.")
