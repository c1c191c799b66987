"""The identity provider of the settings, spoken to in OpenID Connect: the code flow with PKCE, state and nonce.

The protocol's parts are Authlib's and joserfc's; what is accepted is stricter than they ask: signatures of public
keys only, one issuer, one audience. Reasons are for the log and hold no personal data; people are told one sentence.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast

import httpx
from authlib.oauth2 import rfc7636
from authlib.oauth2.rfc6749 import parameters
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from practice.accounts import Role
from practice.identities import Known, SignIn
from settings import LOOPBACK, Settings

_OAUTH: Any = parameters
_PKCE: Any = rfc7636
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Signatures that only the provider can make. `none` and those with a shared secret are not among them."""
LEEWAY = timedelta(seconds=60)
SECONDS = 8.0
"""How long the provider may take for each answer."""
KEPT_FOR = timedelta(hours=1)
"""How long its description and keys are taken as known."""
NEW_KEYS_AT_MOST = timedelta(seconds=10)
"""Between two looks for new keys: a wrong token must not send us there each time."""
MOST_BYTES = 256 * 1024


class ProviderError(Exception):
    """The sign-in failed; `reason` is a word for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NoGroup(ProviderError):
    """Nothing that the provider says of this person gives them a role here."""

    def __init__(self, reason: str, issuer: str, subject: str) -> None:
        super().__init__(reason)
        self.issuer, self.subject = issuer, subject


class Description(BaseModel):
    """What we use of the provider's discovery document."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None = None
    authorization_response_iss_parameter_supported: bool = False
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class Tokens(BaseModel):
    """What we use of the token endpoint's answer."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id_token: str
    access_token: str = ""


_CLAIMS: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


class Provider:
    """Asks for its description when first needed, and again when it grows old."""

    def __init__(self, settings: Settings, redirect: str) -> None:
        assert settings.oidc_issuer is not None
        assert settings.oidc_client_id is not None
        assert settings.oidc_client_secret is not None
        self.issuer: str = settings.oidc_issuer
        self.name = settings.oidc_name
        self._client_id: str = settings.oidc_client_id
        self._secret = settings.oidc_client_secret
        self._settings = settings
        self._redirect = redirect
        self._described: tuple[datetime, Description] | None = None
        self._keys: tuple[datetime, KeySet] | None = None
        self._turn = asyncio.Lock()

    async def address(self, state: str, nonce: str, verifier: str, now: datetime, *, again: bool, hint: str) -> str:
        """Where the browser goes to sign in; `again`: even if the provider still knows it. Raises ProviderError."""
        described = await self._description(now)
        more = {"prompt": "login", "max_age": "0"} if again else {}
        more |= {"login_hint": hint} if hint else {}
        made: Any = _OAUTH.prepare_grant_uri(
            described.authorization_endpoint,
            self._client_id,
            "code",
            redirect_uri=self._redirect,
            scope=" ".join(self._settings.oidc_scopes),
            state=state,
            nonce=nonce,
            code_challenge=_PKCE.create_s256_code_challenge(verifier),
            code_challenge_method="S256",
            **more,
        )
        return str(made)

    async def person(self, code: str, issuer: str | None, sign_in: SignIn, now: datetime) -> tuple[dict[str, Any], str]:
        """The claims about whoever came back with a code, and the token that holds them. Raises ProviderError."""
        described = await self._description(now)
        if issuer not in (None, self.issuer) or (
            issuer is None and described.authorization_response_iss_parameter_supported
        ):
            raise ProviderError("answer_of_another_issuer")
        tokens = await self._exchanged(described, code, sign_in.verifier)
        claims = await self._verified(tokens, sign_in.nonce, now)
        seen = claims.get("auth_time")
        fresh = isinstance(seen, int | float) and seen >= sign_in.asked_anew_at - LEEWAY.total_seconds()
        if sign_in.asked_anew_at and not fresh:
            raise ProviderError("not_asked_anew")
        return claims, tokens.id_token

    async def farewell(self, id_token: str, back: str, now: datetime) -> str:
        """Where the browser signs out at the provider too; empty where that can't be. Raises ProviderError."""
        described = await self._description(now)
        if described.end_session_endpoint is None or not id_token:
            return ""
        told = {"id_token_hint": id_token, "post_logout_redirect_uri": back, "client_id": self._client_id}
        return str(httpx.URL(described.end_session_endpoint).copy_merge_params(told))

    def known(self, claims: Mapping[str, Any]) -> Known:
        """Whom the claims mean here. Raises ProviderError without a second factor or without any of our groups."""
        told = self._settings
        methods = claims.get("amr")
        given = {
            str(claims.get("acr", "")),
            *(map(str, cast("list[Any]", methods)) if isinstance(methods, list) else ()),
        }
        if told.oidc_mfa and not given & set(told.oidc_mfa):
            raise ProviderError("no_second_factor")
        listed = claims.get(told.oidc_groups_claim)
        groups = set(map(str, cast("list[Any]", listed))) if isinstance(listed, list) else {listed}
        roles: dict[Role, None] = {role: None for role, group in told.oidc_roles if group in groups}
        if not roles:
            raise NoGroup("no_group_of_ours", self.issuer, str(claims["sub"]))
        account_id = str(claims.get(told.oidc_account_claim, "")).partition("@")[0].lower()
        name = claims.get("name")
        shown = name.strip()[:120] if isinstance(name, str) and name.strip() else account_id
        return Known(self.issuer, str(claims["sub"]), account_id, shown, tuple(roles))

    async def _description(self, now: datetime) -> Description:
        async with self._turn:
            if self._described is None or now - self._described[0] > KEPT_FOR:
                place = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
                try:
                    found = Description.model_validate_json(await self._fetched(place))
                except ValidationError:
                    raise ProviderError("description_unusable") from None
                if found.issuer.rstrip("/") != self.issuer:
                    raise ProviderError("description_of_another_issuer")
                for address in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
                    self._safe(address)
                self._described = (now, found)
            return self._described[1]

    def _safe(self, address: str) -> None:
        """Raises ProviderError for an endpoint that is not over TLS, where the issuer is."""
        url = httpx.URL(address)
        if url.scheme != "https" and (self.issuer.startswith("https:") or url.host not in LOOPBACK):
            raise ProviderError("endpoint_without_tls")

    async def _exchanged(self, described: Description, code: str, verifier: str) -> Tokens:
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect,
            "code_verifier": verifier,
        }
        secret, auth = self._secret.get_secret_value(), None
        if "client_secret_basic" in described.token_endpoint_auth_methods_supported:
            auth = httpx.BasicAuth(self._client_id, secret)
        else:
            fields |= {"client_id": self._client_id, "client_secret": secret}
        try:
            return Tokens.model_validate_json(await self._fetched(described.token_endpoint, fields, auth))
        except ValidationError:
            raise ProviderError("no_id_token") from None

    async def _verified(self, tokens: Tokens, nonce: str, now: datetime) -> dict[str, Any]:
        try:
            token = jwt.decode(tokens.id_token, await self._key_set(now), list(ALGORITHMS))
        except (JoseError, ValueError):
            # Perhaps signed with a key that is newer than those we know.
            try:
                token = jwt.decode(tokens.id_token, await self._key_set(now, anew=True), list(ALGORITHMS))
            except (JoseError, ValueError):
                raise ProviderError("signature") from None
        options = {
            "iss": {"essential": True, "value": self._described[1].issuer if self._described else self.issuer},
            "aud": {"essential": True, "value": self._client_id},
            "sub": {"essential": True},
        }
        about = {"nonce": nonce, "client_id": self._client_id, "access_token": tokens.access_token}
        try:
            claims: Any = CodeIDToken(token.claims, token.header, options, about)
            claims.validate(now=int(now.timestamp()), leeway=int(LEEWAY.total_seconds()))
            return _CLAIMS.validate_python(dict(claims))
        except (JoseError, ValueError, TypeError, AttributeError) as error:
            named = getattr(error, "claim", "") or type(error).__name__
            raise ProviderError(f"claim_{named}") from None

    async def _key_set(self, now: datetime, *, anew: bool = False) -> KeySet:
        described = await self._description(now)
        async with self._turn:
            age = None if self._keys is None else abs(now - self._keys[0])
            if self._keys is None or age is None or age > (NEW_KEYS_AT_MOST if anew else KEPT_FOR):
                written = _CLAIMS.validate_json(await self._fetched(described.jwks_uri))
                self._keys = (now, KeySet.import_key_set(cast("Any", written)))
            return self._keys[1]

    async def _fetched(
        self, address: str, fields: dict[str, str] | None = None, auth: httpx.BasicAuth | None = None
    ) -> bytes:
        """The body of an answer with 200. Raises ProviderError."""
        async with httpx.AsyncClient(timeout=SECONDS, follow_redirects=False, trust_env=False) as client:
            try:
                method = "GET" if fields is None else "POST"
                async with client.stream(method, address, data=fields, auth=auth) as answer:
                    body = b""
                    async for part in answer.aiter_bytes():
                        body += part
                        if len(body) > MOST_BYTES:
                            raise ProviderError("answer_too_long")
            except httpx.HTTPError as error:
                raise ProviderError(f"provider_away_{type(error).__name__}") from None
        if answer.status_code != 200:
            raise ProviderError(f"provider_answers_{answer.status_code}")
        return body


def fresh_verifier() -> str:
    """A random verifier for PKCE: 64 characters."""
    return secrets.token_urlsafe(48)
