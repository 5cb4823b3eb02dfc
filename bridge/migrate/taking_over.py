"""Takes a sign-in of mcp-remote's into our store, so that the next start renews it and opens no browser.

mcp-remote does not keep the endpoints of the authorization server, so the server is asked as in a sign-in: for its
challenge, its metadata, and that of its authorization server. The refresh token is not sent here. The next start sends
it, and only to the authorization server that was found here.

| what is found | what happens |
|---|---|
| our store has tokens for these settings | they stay |
| the server cannot be reached, or its metadata must not be believed | nothing is taken over |
| the server names another authorization server than mcp-remote noted | nothing is taken over |
| it names several, and mcp-remote noted none | nothing is taken over, because any may have issued the tokens |
| there is a refresh token | it is taken over; the access token counts as expired |
| there is none, and the access token is still good, or says nothing of its end | the access token is taken over |
| neither, or no client that they were issued to | nothing is taken over |
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bridge.config import Settings, ascii_url
from bridge.errors import BridgeError
from bridge.login.discovery import DiscoveredServers, Discovery
from bridge.login.issuer_binding import Bound
from bridge.login.user_warnings import Warnings
from bridge.migrate.mcp_auth import OldRegistration, OldSignIn, find_sign_in
from bridge.migrate.mcp_remote_hash import HashedServer, digests
from bridge.oauth import client as clients
from bridge.oauth.client import Client
from bridge.oauth.errors import SignInError
from bridge.oauth.metadata import AuthorizationServer
from bridge.oauth.record import Record, client_key, encode, encode_client
from bridge.oauth.registration import document_client, static_client
from bridge.process.host_environment import keyring_variables
from bridge.protocol.sanitize import address
from bridge.store.choice import open_store
from bridge.store.paths import platform_paths
from bridge.store.secret_store import SecretStore
from bridge.tokens.issuers_file import issuers_file
from bridge.tokens.login_order import make_order, tokens_key_of
from bridge.tokens.sign_in_setup import ask_of, open_http
from bridge.tokens.stored_record import StoredRecord
from bridge.tokens.typed_command import login_command

_LOCK_SECONDS = 10.0


class TakenOver(msgspec.Struct, frozen=True):
    """Whether a sign-in was taken over, and a sentence about it for the user."""

    is_taken: bool
    sentence: str


async def take_over_from(
    folder: Path,
    hashed: HashedServer,
    settings: Settings,
    *,
    notice: Callable[[str], None],
    add_secret: Callable[[str], None],
) -> TakenOver:
    """Take over what mcp-remote keeps in `folder` of this server, for a run with `settings`.

    `notice` gets a sentence where the sign-in has to be stored in an unexpected place.
    """
    store = open_store(settings.sign_in.token_store, notice, keyring_variables)
    return await take_over(find_sign_in(folder, digests(hashed)), settings, store, add_secret)


async def take_over(
    old: OldSignIn | None, settings: Settings, store: SecretStore, add_secret: Callable[[str], None]
) -> TakenOver:
    """Take `old` over for a run with `settings`, by the table above. Raises nothing but `CancelledError`."""
    url = settings.url
    if old is None:
        return TakenOver(False, f"mcp-remote has no sign-in to {url} here.")
    for secret in old.secrets():
        add_secret(secret)
    try:
        kept = StoredRecord(tokens_key_of(settings), store)
        before = await kept.read_if_any()
        if before is not None and before.access_token:
            return TakenOver(False, f"You are already signed in to {url}.")
        record = await _record(old, settings, before)
        if record is None:
            return TakenOver(False, f"{url} requires no sign-in, so that of mcp-remote was not taken over.")
        await _save(record, settings, store)
    except BridgeError as problem:
        return TakenOver(
            False,
            f"mcp-remote's sign-in to {url} was not taken over: {problem} To sign in, run: {login_command(settings)}",
        )
    return TakenOver(
        True,
        f"You stay signed in to {url}: mcp-remote's sign-in at {address(record.issuer)} was taken over. If mcp-remote "
        "is started for this server again, it may ask you to sign in there.",
    )


async def _record(old: OldSignIn, settings: Settings, before: Record | None) -> Record | None:
    """The record of the sign-in, after asking the server; None if it requires none. Raises `BridgeError`."""
    now = time.time()
    if not old.refresh_token and old.expires_at is not None and old.expires_at <= now:
        raise SignInError("It has expired, and there is no refresh token.")
    http = open_http(settings)
    ask = await ask_of(make_order(settings, None, before, ""), http)
    if ask.is_open:
        return None
    discovery = Discovery(ascii_url(settings.url), http)
    found = await discovery.find(ask.resource_metadata)
    bound = Bound(settings.url, settings.sign_in, issuers_file(settings, platform_paths()), Warnings())
    issuer = _issuer(old, found, bound.begin(found, before))
    server = await discovery.server(issuer, found)
    if old.issuer and server.issuer != old.issuer:
        raise _another_issuer(old, server.issuer)
    bound.check(server.issuer)
    client = _client(old.registration, settings, server)
    await bound.use(server.issuer)
    await bound.signed_in(server.issuer)
    written_at = min(old.written_at, now)
    return Record(
        server=settings.url,
        profile=settings.sign_in.profile,
        resource=_resource(settings, found),
        issuer=server.issuer,
        token_endpoint=server.token_endpoint,
        revocation_endpoint=server.revocation_endpoint,
        userinfo_endpoint=server.userinfo_endpoint,
        client=client,
        asked=old.asked,
        scope=old.scope,
        access_token=old.access_token,
        refresh_token=old.refresh_token,
        id_token=old.id_token,
        issued_at=written_at,
        expires_at=written_at if old.refresh_token else old.expires_at,
        generation=(before.generation if before else 0) + 1,
        sign_in=secrets.token_hex(16),
        reach=http.reach,
    )


def _issuer(old: OldSignIn, found: DiscoveredServers, issuers: tuple[str, ...]) -> str:
    """The authorization server that issued the tokens. Raises `SignInError` where that is not certain."""
    if found.is_guessed:
        return issuers[0]  # Its metadata say by what name it issued them.
    if old.issuer:
        if old.issuer not in issuers:
            raise _another_issuer(old, issuers[0])
        return old.issuer
    if len(issuers) > 1:
        names = ", ".join(address(issuer) for issuer in issuers[:5])
        raise SignInError(f"The server names several authorization servers ({names}), and any may have issued it.")
    return issuers[0]


def _another_issuer(old: OldSignIn, named: str) -> SignInError:
    return SignInError(f"It is from {address(old.issuer)}, but the server now names {address(named)}.")


def _client(old: OldRegistration | None, settings: Settings, server: AuthorizationServer) -> Client:
    """The client that the tokens were issued to. Raises `SignInError` if it is not known."""
    own = settings.sign_in
    if own.client_id is not None:
        # The user keeps the secret.
        return msgspec.structs.replace(static_client(own.client_id, own.client_secret, server), secret="")
    if own.client_metadata_url is not None and server.client_id_metadata_document_supported:
        return document_client(own.client_metadata_url)
    if old is None:
        raise SignInError("The client that it was issued to is not known.")
    method = old.auth_method if old.secret else clients.NONE
    if method not in clients.METHODS:
        method = clients.method_with_secret(server.token_endpoint_auth_methods, server.issuer)
    return Client(
        client_id=old.client_id,
        kind="dynamic",
        secret=old.secret,
        auth_method=method,
        redirect_uri=old.redirect_uri,
        scope=old.scope,
        secret_expires_at=old.secret_expires_at,
    )


def _resource(settings: Settings, found: DiscoveredServers) -> str | None:
    """The resource indicator that mcp-remote sent, which a refresh has to repeat (RFC 8707 2.2)."""
    option = settings.sign_in.resource
    if option is not None:
        return None if option == "none" else option
    return found.resource.resource if found.resource else None


async def _save(record: Record, settings: Settings, store: SecretStore) -> None:
    """Store the record, and the registration for a later sign-in. Raises `BridgeError`."""
    key = tokens_key_of(settings)
    async with store.locked(key, _LOCK_SECONDS):
        await store.save(key, encode(record))
    client = record.client
    if client.kind == "dynamic" and client.redirect_uri:
        registered = client_key(record.issuer, client.redirect_uri)
        if await store.load(registered) is None:
            await store.save(registered, encode_client(client))
