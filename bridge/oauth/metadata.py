"""Authorization server metadata (RFC 8414 2, 3.3; OpenID Connect Discovery 4.3). First draft."""

from __future__ import annotations

import msgspec

from bridge.oauth.addresses import authorization_base, check_endpoint
from bridge.oauth.errors import MetadataError


class AuthorizationServer(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an authorization server."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    registration_endpoint: str | None = None
    revocation_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    device_authorization_endpoint: str | None = None
    scopes_supported: tuple[str, ...] | None = None
    token_endpoint_auth_methods: tuple[str, ...] | None = None
    grant_types: tuple[str, ...] | None = None
    iss_parameter_supported: bool = False
    client_id_metadata_document_supported: bool = False
    service_documentation: str = ""
    discovered: bool = True


def read_authorization_server(body: bytes, url: str, issuer: str) -> AuthorizationServer:
    """Read and judge."""
    try:
        d = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise MetadataError(f"{url} is not JSON.") from None
    if not isinstance(d, dict):
        raise MetadataError(f"{url} is not a JSON object.")
    if d.get("issuer") != issuer:
        raise MetadataError(f"{url} says issuer {d.get('issuer')!r}, expected {issuer!r}.")
    if "S256" not in (d.get("code_challenge_methods_supported") or []):
        raise MetadataError(f"{issuer} does not support PKCE with S256.")

    def one(name: str) -> str | None:
        value = d.get(name)
        return check_endpoint(value, name) if isinstance(value, str) else None

    def many(name: str) -> tuple[str, ...] | None:
        value = d.get(name)
        return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else None

    return AuthorizationServer(
        issuer=issuer,
        authorization_endpoint=one("authorization_endpoint") or "",
        token_endpoint=one("token_endpoint") or "",
        registration_endpoint=one("registration_endpoint"),
        revocation_endpoint=one("revocation_endpoint"),
        userinfo_endpoint=one("userinfo_endpoint"),
        device_authorization_endpoint=one("device_authorization_endpoint"),
        scopes_supported=many("scopes_supported"),
        token_endpoint_auth_methods=many("token_endpoint_auth_methods_supported"),
        grant_types=many("grant_types_supported"),
        iss_parameter_supported=d.get("authorization_response_iss_parameter_supported") is True,
        client_id_metadata_document_supported=d.get("client_id_metadata_document_supported") is True,
    )


def default_authorization_server(server_url: str) -> AuthorizationServer:
    """MCP 2025-03-26 default endpoints."""
    base = authorization_base(server_url)
    return AuthorizationServer(
        issuer=base,
        authorization_endpoint=f"{base}/authorize",
        token_endpoint=f"{base}/token",
        registration_endpoint=f"{base}/register",
        discovered=False,
    )
