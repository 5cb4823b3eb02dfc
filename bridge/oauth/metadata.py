"""Authorization server metadata: where an authorization server asks to be asked, and what it can do.

RFC 8414 2 and 3.3, OpenID Connect Discovery 3 and 4.3, RFC 9207 3, and what MCP wants of it: the issuer is the one that
was asked for, and PKCE with S256 is said to be supported.
"""

from __future__ import annotations

import msgspec

from bridge.oauth.addresses import authorization_base, check_endpoint
from bridge.oauth.document import Document
from bridge.oauth.errors import MetadataError
from bridge.protocol.sanitize import address, quoted


class AuthorizationServer(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an authorization server.

    None, or an empty text, stands for what the document does not say. `discovered` is False where there is no document
    and the endpoints are those that MCP 2025-03-26 assumes.
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    registration_endpoint: str | None = None
    revocation_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    device_authorization_endpoint: str | None = None
    scopes_supported: tuple[str, ...] | None = None
    token_endpoint_auth_methods: tuple[str, ...] | None = None
    iss_parameter_supported: bool = False
    client_id_metadata_document_supported: bool = False
    service_documentation: str = ""
    discovered: bool = True


def read_authorization_server(body: bytes, url: str, issuer: str, *, guessed: bool = False) -> AuthorizationServer:
    """Read the document that came from `url` for `issuer`.

    `guessed` tells that nobody named the issuer and it is merely the MCP server's origin (MCP 2025-03-26): then the
    origin with a slash is as good, since the same document stands for both, and the document's spelling is kept.

    Raises `MetadataError` where the document is malformed or must not be believed, or the server cannot do what is
    needed.
    """
    check_endpoint(issuer, "issuer")
    document = Document(body, "authorization server metadata", url)
    named = document.required_text("issuer")
    if named != issuer and not (guessed and named == f"{issuer}/"):
        raise _other_issuer(document, named, issuer)
    authorization_endpoint = document.required_endpoint("authorization_endpoint")
    token_endpoint = document.required_endpoint("token_endpoint")
    _check_abilities(document)
    return AuthorizationServer(
        issuer=named,
        authorization_endpoint=authorization_endpoint,
        token_endpoint=token_endpoint,
        registration_endpoint=document.endpoint("registration_endpoint"),
        revocation_endpoint=document.endpoint("revocation_endpoint"),
        userinfo_endpoint=document.endpoint("userinfo_endpoint"),
        device_authorization_endpoint=document.endpoint("device_authorization_endpoint"),
        scopes_supported=document.texts("scopes_supported"),
        # An empty array says no more than none at all (RFC 8414 3.2).
        token_endpoint_auth_methods=document.texts("token_endpoint_auth_methods_supported") or None,
        iss_parameter_supported=document.is_true("authorization_response_iss_parameter_supported"),
        client_id_metadata_document_supported=document.is_true("client_id_metadata_document_supported"),
        service_documentation=document.endpoint("service_documentation") or "",
    )


def default_authorization_server(server_url: str) -> AuthorizationServer:
    """The endpoints of a server without any metadata (MCP 2025-03-26, Fallbacks for Servers without Metadata)."""
    base = authorization_base(server_url)
    return AuthorizationServer(
        issuer=base,
        authorization_endpoint=f"{base}/authorize",
        token_endpoint=f"{base}/token",
        registration_endpoint=f"{base}/register",
        discovered=False,
    )


def _other_issuer(document: Document, named: str, issuer: str) -> MetadataError:
    only = " (they differ in the slash at the end)" if named.rstrip("/") == issuer.rstrip("/") else ""
    return document.fault(
        f"names the issuer '{address(named)}', and exactly '{address(issuer)}' was expected{only}",
        hint="The MCP server and its authorization server disagree about the issuer, or one poses as another; "
        "tell their operators.",
    )


def _check_abilities(document: Document) -> None:
    responses = document.texts("response_types_supported")
    if responses and "code" not in responses:
        raise document.fault(f"supports the response types {quoted(', '.join(responses))}, and 'code' is needed")
    methods = document.texts("code_challenge_methods_supported")
    if not methods:
        raise document.fault(
            "does not name 'code_challenge_methods_supported', so the server is taken not to support PKCE, "
            "without which MCP does not allow signing in",
            hint='Its operator has to add ["S256"] there.',
        )
    if "S256" not in methods:
        raise document.fault(f"supports the code challenge methods {quoted(', '.join(methods))}, and 'S256' is needed")
