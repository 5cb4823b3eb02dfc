"""The key of a client that authenticates by a signed assertion: `private_key_jwt` (RFC 7523 2.2, 3, RFC 7517).

| key | algorithm, if the user names none |
|---|---|
| RSA | RS256 |
| EC, by its curve | ES256, ES384, ES512 |
| OKP: Ed25519, Ed448 | EdDSA |

An assertion is for one audience and one request: it has an identifier of its own and ends after a minute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from bridge.oauth.document import json_object
from bridge.oauth.errors import NeedsChange, SignInError

if TYPE_CHECKING:
    from joserfc.jwk import Key

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

_LIFETIME = 60
_USUAL = {"RSA": "RS256", "P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "OKP": "EdDSA"}
_BEGINNINGS = {"RSA": ("RS", "PS"), "EC": ("ES",), "OKP": ("EdDSA",)}


class ClientKey:
    """A private key, the algorithm to sign with, and the key's identifier, empty for none."""

    def __init__(self, key: Key, algorithm: str, key_id: str) -> None:
        self._key = key
        self._algorithm = algorithm
        self._key_id = key_id

    def assertion(self, client_id: str, audience: str, *, now: float, identifier: str) -> str:
        """The JWT by which the client authenticates to `audience` at the time `now` (Unix seconds)."""
        from joserfc import jwt

        header = {"alg": self._algorithm, **({"kid": self._key_id} if self._key_id else {})}
        at = int(now)
        claims = {"iss": client_id, "sub": client_id, "aud": audience, "jti": identifier, "iat": at}
        return jwt.encode(header, {**claims, "exp": at + _LIFETIME}, self._key, algorithms=[self._algorithm])


def read_client_key(text: bytes, source: str, algorithm: str = "", key_id: str = "") -> ClientKey:
    """Read a private key: PEM, or a JWK. `source` names the file; `algorithm` and `key_id` are the user's, or empty.

    Raises `SignInError`, never with a part of the key.
    """
    if b"ENCRYPTED" in text[:200]:
        raise NeedsChange(
            f"The key in {source} is encrypted, and the bridge cannot ask for its password.",
            hint="Write it without one to a file that only you can read, for example: openssl pkey -in KEY -out FILE",
        )
    members = json_object(text)
    key = _key(members if members is not None else text)
    if key is None:
        raise _unreadable(source)
    if not key.is_private:
        raise NeedsChange(f"The key in {source} is a public one.", hint="Name the file with the private key.")
    return ClientKey(key, _algorithm(key, algorithm, source), key_id or _text(members, "kid"))


def _key(text: bytes | dict[str, Any]) -> Key | None:
    from joserfc.errors import JoseError
    from joserfc.jwk import import_key

    kinds: tuple[Literal["RSA", "EC", "OKP"], ...] = ("RSA", "EC", "OKP")
    for kind in kinds:
        try:
            return import_key(text, kind)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    return None


def _algorithm(key: Key, wanted: str, source: str) -> str:
    curve = str(key.as_dict(private=False).get("crv", ""))
    usual = _USUAL.get(curve) or _USUAL.get(key.key_type)
    if usual is None:
        raise NeedsChange(
            f"The key in {source} has the curve {curve}, which the bridge cannot sign with.",
            hint="Make an RSA key, or one with the curve P-256, P-384, P-521 or Ed25519.",
        )
    fits = wanted == usual if key.key_type == "EC" else wanted.startswith(_BEGINNINGS[key.key_type])
    if wanted and not fits:
        raise NeedsChange(
            f"The key in {source} is of the type {key.key_type}, which cannot sign with {wanted}.",
            hint=f"Leave --client-key-alg out, which means {usual}, or name the right key.",
        )
    return wanted or usual


def _text(members: dict[str, Any] | None, name: str) -> str:
    value = (members or {}).get(name)
    return value if isinstance(value, str) else ""


def _unreadable(source: str) -> SignInError:
    return NeedsChange(
        f"{source} has no private key that can be read.",
        hint="It has to be a PEM file that begins with -----BEGIN PRIVATE KEY-----, or a JWK (a JSON object).",
    )
