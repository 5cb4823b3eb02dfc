"""Authorization server metadata: an authorization server's endpoints and abilities.

RFC 8414 2 and 3.3, OpenID Connect Discovery 3 and 4.3, RFC 9207 3. MCP adds two requirements: the document must name
exactly the issuer that was asked for, and it must say that PKCE with S256 is supported.
"""

from __future__ import annotations

import msgspec

from bridge.oauth.addresses import authorization_base, check_endpoint
from bridge.oauth.document import Document
from bridge.oauth.errors import MetadataError
from bridge.protocol.sanitize import address, quoted


class AuthorizationServer(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an authorization server.

    None or an empty text stands for what the document does not say. `discovered` is False if there is no document and
    the endpoints are the defaults of MCP 2025-03-26.
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    registration_endpoint: str | None = None
    revocation_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    device_authorization_endpoint: str | None = None
    pushed_authorization_request_endpoint: str | None = None
    requires_pushed_requests: bool = False
    scopes_supported: tuple[str, ...] | None = None
    token_endpoint_auth_methods: tuple[str, ...] | None = None
    iss_parameter_supported: bool = False
    client_id_metadata_document_supported: bool = False
    service_documentation: str = ""
    discovered: bool = True


def read_authorization_server(
    body: bytes, url: str, issuer: str, *, guessed: bool = False, for_user: bool = True
) -> AuthorizationServer:
    """Read the document that came from `url` for `issuer`.

    `guessed` means that no server named the issuer: it is the MCP server's own origin (MCP 2025-03-26). Then a document
    that names the origin with a slash at the end is accepted too, and its spelling is kept. Without `for_user` the
    server needs neither an authorization endpoint (RFC 8414 2) nor PKCE.

    Raises `MetadataError` if the document is malformed or must not be believed, or the server lacks an ability that is
    required.
    """
    check_endpoint(issuer, "issuer")
    document = Document(body, "authorization server metadata", url)
    named = document.required_text("issuer")
    if named != issuer and not (guessed and named == f"{issuer}/"):
        raise _other_issuer(document, named, issuer)
    token_endpoint = document.required_endpoint("token_endpoint")
    if for_user:
        authorization_endpoint = document.required_endpoint("authorization_endpoint")
        _check_abilities(document)
    else:
        authorization_endpoint = document.endpoint("authorization_endpoint") or ""
    return AuthorizationServer(
        issuer=named,
        authorization_endpoint=authorization_endpoint,
        token_endpoint=token_endpoint,
        registration_endpoint=document.endpoint("registration_endpoint"),
        revocation_endpoint=document.endpoint("revocation_endpoint"),
        userinfo_endpoint=document.endpoint("userinfo_endpoint"),
        device_authorization_endpoint=document.endpoint("device_authorization_endpoint"),
        pushed_authorization_request_endpoint=document.endpoint("pushed_authorization_request_endpoint"),
        requires_pushed_requests=document.is_true("require_pushed_authorization_requests"),
        scopes_supported=document.texts("scopes_supported"),
        # An empty array means the same as none (RFC 8414 3.2).
        token_endpoint_auth_methods=document.texts("token_endpoint_auth_methods_supported") or None,
        iss_parameter_supported=document.is_true("authorization_response_iss_parameter_supported"),
        client_id_metadata_document_supported=document.is_true("client_id_metadata_document_supported"),
        service_documentation=document.endpoint("service_documentation") or "",
    )


def default_authorization_server(server_url: str) -> AuthorizationServer:
    """The default endpoints of a server without metadata (MCP 2025-03-26, Fallbacks for Servers without Metadata)."""
    base = authorization_base(server_url)
    return AuthorizationServer(
        issuer=base,
        authorization_endpoint=f"{base}/authorize",
        token_endpoint=f"{base}/token",
        registration_endpoint=f"{base}/register",
        discovered=False,
    )


def server_at_token_endpoint(token_endpoint: str, issuer: str | None) -> AuthorizationServer:
    """A server without metadata. With no issuer given, it is the origin of the token endpoint."""
    return AuthorizationServer(
        issuer=issuer or authorization_base(token_endpoint),
        authorization_endpoint="",
        token_endpoint=token_endpoint,
        discovered=False,
    )


def _other_issuer(document: Document, named: str, issuer: str) -> MetadataError:
    only = " (they differ in the slash at the end)" if named.rstrip("/") == issuer.rstrip("/") else ""
    return document.fault(
        f"names the issuer '{address(named)}', but exactly '{address(issuer)}' was expected{only}",
        hint="The MCP server and its authorization server disagree about the issuer, or one impersonates another; "
        "tell their operators.",
    )


def _check_abilities(document: Document) -> None:
    responses = document.texts("response_types_supported")
    if responses and "code" not in responses:
        raise document.fault(f"supports the response types {quoted(', '.join(responses))}, but 'code' is required")
    methods = document.texts("code_challenge_methods_supported")
    if not methods:
        raise document.fault(
            "has no 'code_challenge_methods_supported', so the server does not say that it supports PKCE, which MCP "
            "requires",
            hint='The server\'s operator has to add "code_challenge_methods_supported": ["S256"] to it.',
        )
    if "S256" not in methods:
        raise document.fault(
            f"supports the code challenge methods {quoted(', '.join(methods))}, but 'S256' is required"
        )
