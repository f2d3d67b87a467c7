"""
JSON Web Tokens on both sides of the simulated authority: ID tokens out, client assertions in.

Knows RFC 7515, RFC 7519 and RFC 7523 through PyJWT. Refuses to know who asks and why; times are
judged by the clock the caller passes, never by PyJWT's own.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from syncd.simulator.authority_values import (
    BAD_ASSERTION,
    STALE_ASSERTION,
    Client,
    RefusedRequest,
)

__all__ = ["SigningKey", "base64url", "certificate_thumbprint", "check_assertion"]

ASSERTION_ALGORITHMS = ("RS256", "PS256")
MAX_CLOCK_SKEW_S = 300  # what the identity platform tolerates between two machines


def base64url(raw: bytes) -> str:
    """Return base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


class SigningKey:
    """The authority's RSA key, made at first use: a client that never asks costs nothing."""

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65_537, key_size=2048)

    @cached_property
    def key_id(self) -> str:
        digest = hashes.Hash(hashes.SHA256())
        digest.update(str(self._key.public_key().public_numbers().n).encode("ascii"))
        return base64url(digest.finalize())

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Return `claims` as an RS256 JWT."""
        return jwt.encode(dict(claims), self._key, algorithm="RS256", headers={"kid": self.key_id})

    def key_set(self) -> dict[str, Any]:
        """Return the public half as a JWK set (RFC 7517 section 5)."""
        public: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [public | {"use": "sig", "kid": self.key_id, "alg": "RS256"}]}


def certificate_thumbprint(pem: str, *, legacy: bool = False) -> str:
    """
    Return the `x5t#S256` header value of a certificate, or its SHA-1 `x5t` if `legacy`.

    Raises: ValueError: `pem` is no certificate.
    """
    algorithm = hashes.SHA1() if legacy else hashes.SHA256()  # noqa: S303  RFC 7515 section 4.1.7
    return base64url(_load(pem).fingerprint(algorithm))


def check_assertion(
    assertion: str, client: Client, *, audiences: Iterable[str], now: datetime
) -> None:
    """
    Accept a client assertion (RFC 7523 section 3) or say why not.

    Args: audiences: the `aud` values of which one must be present.
    Raises: RefusedRequest: malformed, signed by an unregistered key, for someone else, or stale.
    """
    claims = _verified_claims(assertion, client, frozenset(audiences))
    if claims.get("iss") != client.client_id or claims.get("sub") != client.client_id:
        raise RefusedRequest(BAD_ASSERTION)
    _check_times(claims, now.timestamp())


def _verified_claims(assertion: str, client: Client, audiences: frozenset[str]) -> dict[str, Any]:
    try:
        certificate = _signer(jwt.get_unverified_header(assertion), client)
        claims: dict[str, Any] = jwt.decode(
            assertion,
            _rsa_key(certificate),
            algorithms=ASSERTION_ALGORITHMS,
            audience=audiences,
            options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise RefusedRequest(BAD_ASSERTION) from error
    return claims


def _signer(header: Mapping[str, Any], client: Client) -> x509.Certificate:
    for pem in client.certificates:
        if _thumbprint(header, "x5t#S256") == certificate_thumbprint(pem):
            return _load(pem)
        if _thumbprint(header, "x5t") == certificate_thumbprint(pem, legacy=True):
            return _load(pem)
    raise RefusedRequest(BAD_ASSERTION)


def _thumbprint(header: Mapping[str, Any], name: str) -> str:
    # msal leaves the padding on, which RFC 7515 section 4.1.7 takes off.
    return str(header.get(name, "")).rstrip("=")


def _check_times(claims: Mapping[str, Any], now_s: float) -> None:
    expires, not_before = claims.get("exp"), claims.get("nbf", 0)
    if not isinstance(expires, int | float) or not isinstance(not_before, int | float):
        raise RefusedRequest(BAD_ASSERTION)
    if not not_before - MAX_CLOCK_SKEW_S <= now_s < expires + MAX_CLOCK_SKEW_S:
        raise RefusedRequest(STALE_ASSERTION)


def _rsa_key(certificate: x509.Certificate) -> rsa.RSAPublicKey:
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise RefusedRequest(BAD_ASSERTION)
    return key


def _load(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode("ascii"))
