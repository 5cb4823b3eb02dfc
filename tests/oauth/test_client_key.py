"""The key by which a client authenticates: what is read, and what it signs."""

import json
from functools import cache
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from bridge.oauth.client_key import read_client_key
from bridge.oauth.errors import SignInError


@cache
def made(kind: str) -> RSAKey | ECKey | OKPKey:
    """A key of this kind, made once: RSA keys take long."""
    if kind == "RSA":
        return RSAKey.generate_key(2048)
    return OKPKey.generate_key("Ed25519") if kind == "Ed25519" else ECKey.generate_key(kind)


def pem(kind: str) -> bytes:
    return made(kind).as_bytes(encoding="PEM", private=True)


def jwk(kind: str, **more: str) -> bytes:
    return json.dumps({**made(kind).as_dict(private=True), **more}).encode()


def signed(text: bytes, kind: str, algorithm: str = "", key_id: str = "") -> jwt.Token:
    key = read_client_key(text, "key.pem", algorithm, key_id)
    assertion = key.assertion("me", "https://as.example", now=1000.7, identifier="one")
    return jwt.decode(assertion, made(kind), algorithms=["RS256", "PS384", "ES256", "ES384", "ES512", "EdDSA"])


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_key_signs_with_its_usual_algorithm_as_pem_and_as_jwk() -> None:
    usual = {"RSA": "RS256", "P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}
    assert {kind: signed(pem(kind), kind).header["alg"] for kind in usual} == usual
    assert {kind: signed(jwk(kind), kind).header["alg"] for kind in usual} == usual


def test_an_assertion_is_for_one_audience_and_one_minute() -> None:
    token = signed(pem("P-256"), "P-256")
    assert token.claims == {
        "iss": "me",
        "sub": "me",
        "aud": "https://as.example",
        "jti": "one",
        "iat": 1000,
        "exp": 1060,
    }
    assert "kid" not in token.header


def test_the_users_algorithm_and_key_id_count() -> None:
    assert signed(pem("RSA"), "RSA", "PS384").header["alg"] == "PS384"
    assert signed(jwk("P-256", kid="of the key"), "P-256").header["kid"] == "of the key"
    assert signed(jwk("P-256", kid="of the key"), "P-256", key_id="mine").header["kid"] == "mine"


def test_a_key_that_cannot_be_used_is_told_without_its_text() -> None:
    public = made("P-256").as_bytes(encoding="PEM", private=False)
    shared = json.dumps(OctKey.generate_key(256).as_dict(private=True)).encode()
    no_curve = json.dumps({"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA", "d": "plantedsecret"}).encode()
    cases: list[tuple[bytes, dict[str, Any], str]] = [
        (b"", {}, "no private key"),
        (b"plantedsecret", {}, "no private key"),
        (b"{}", {}, "no private key"),
        (b"\xff\xfe", {}, "no private key"),
        (b"-----BEGIN PRIVATE KEY-----\nplantedsecret\n-----END PRIVATE KEY-----\n", {}, "no private key"),
        (no_curve, {}, "no private key"),
        (shared, {}, "no private key"),
        (public, {}, "public one"),
        (b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nplantedsecret", {}, "is encrypted"),
        (pem("P-256"), {"algorithm": "RS256"}, "of the type EC, which cannot sign with RS256"),
        (pem("P-256"), {"algorithm": "ES384"}, "of the type EC, which cannot sign with ES384"),
        (pem("Ed25519"), {"algorithm": "ES256"}, "of the type OKP"),
    ]
    for text, given, why in cases:
        with pytest.raises(SignInError, match=why) as refused:
            read_client_key(text, "key.pem", **given)
        assert "key.pem" in refused.value.message
        assert refused.value.hint
        assert "plantedsecret" not in f"{refused.value}"
