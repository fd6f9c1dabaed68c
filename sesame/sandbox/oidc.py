"""A stand-in for a sign-in provider: OpenID Connect with a code, PKCE, and tokens really signed.

Whoever comes picks an account from a list. What it checks, it checks with other code than ours
asks with: the library's.
"""

import base64
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from html import escape
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlencode

import jwt
import orjson
from authlib.oauth2 import rfc7636
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from parking.kit.clock import Clock
from sesame.sandbox.loopback import read_body, refuse_remote

BODY_BYTES_MAX: Final = 16 * 1024
CODES_MAX: Final = 1000
CODE_PERIOD: Final = timedelta(seconds=60)
TOKEN_PERIOD: Final = timedelta(minutes=5)
_KEY_BITS: Final = 2048


@dataclass(frozen=True, slots=True)
class OidcOptions:
    """Who may come, and who may ask."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
    accounts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Granted:
    email: str
    nonce: str
    challenge: str
    redirect_uri: str
    expires_at: float


class OidcStandIn:
    """Plays the provider.

    Attributes:
        changes: Claims that the next tokens have instead, for tests: how a forged one looks.
    """

    def __init__(self, options: OidcOptions, clock: Clock, issuer: str) -> None:
        self._options = options
        self._clock = clock
        self._issuer = issuer
        self._codes: dict[str, _Granted] = {}
        self._keys: dict[str, rsa.RSAPrivateKey] = {}
        self.changes: dict[str, Any] = {}
        self.asked: list[str] = []
        self.rotate()

    def rotate(self) -> None:
        """Sign with a new key; the old one stays listed for the tokens before."""
        key_id = secrets.token_hex(8)
        self._keys[key_id] = rsa.generate_private_key(65537, _KEY_BITS)

    def forget_keys(self) -> None:
        """List no key but the newest."""
        self._keys = dict([list(self._keys.items())[-1]])

    def app(self) -> Starlette:
        """Return what answers."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._describe),
                Route("/jwks", self._list_keys),
                Route("/authorize", self._show_accounts),
                Route("/authorize", self._grant, methods=["POST"]),
                Route("/token", self._exchange, methods=["POST"]),
                Route("/_control", self._control, methods=["POST"]),
            ]
        )

    async def _describe(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        return JSONResponse(
            {
                "issuer": self._issuer,
                "authorization_endpoint": f"{self._issuer}/authorize",
                "token_endpoint": f"{self._issuer}/token",
                "jwks_uri": f"{self._issuer}/jwks",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": True,
            }
        )

    async def _list_keys(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        keys = [
            {
                **RSAAlgorithm.to_jwk(key.public_key(), as_dict=True),
                "kid": key_id,
                "use": "sig",
                "alg": "RS256",
            }
            for key_id, key in self._keys.items()
        ]
        return JSONResponse({"keys": keys})

    async def _show_accounts(self, request: Request) -> Response:
        problem = self._problem_of(dict(request.query_params))
        if problem is not None:
            return JSONResponse({"error": problem}, 400)
        query = escape(str(request.url.query))
        buttons = "".join(
            f'<form method="post" action="/authorize?{query}">'
            f'<input type="hidden" name="email" value="{escape(email)}">'
            f"<button>{escape(email)}</button></form>"
            for email in self._options.accounts
        )
        return HTMLResponse(f"<!doctype html><title>Who are you?</title>{buttons}")

    async def _grant(self, request: Request) -> Response:
        query = dict(request.query_params)
        problem = self._problem_of(query)
        form = _form(await read_body(request, BODY_BYTES_MAX))
        email = form.get("email", "")
        if problem is not None or email not in self._options.accounts:
            return JSONResponse({"error": problem or "invalid_request"}, 400)
        if len(self._codes) >= CODES_MAX:
            self._codes.clear()
        code = secrets.token_urlsafe(24)
        self._codes[code] = _Granted(
            email=email,
            nonce=query["nonce"],
            challenge=query["code_challenge"],
            redirect_uri=query["redirect_uri"],
            expires_at=(self._clock.now() + CODE_PERIOD).timestamp(),
        )
        answer = {"code": code, "state": query["state"], "iss": self._issuer}
        return RedirectResponse(f"{query['redirect_uri']}?{urlencode(answer)}", 303)

    async def _exchange(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        form = _form(await read_body(request, BODY_BYTES_MAX))
        if not self._is_client(request.headers.get("authorization", "")):
            return JSONResponse({"error": "invalid_client"}, 401)
        # Whatever comes of it, a code is good once.
        granted = self._codes.pop(form.get("code", ""), None)
        if granted is None or self._clock.now().timestamp() >= granted.expires_at:
            return JSONResponse({"error": "invalid_grant"}, 400)
        # A library without types.
        library: Any = rfc7636
        challenge = library.create_s256_code_challenge(form.get("code_verifier", ""))
        if challenge != granted.challenge or form.get("redirect_uri") != granted.redirect_uri:
            return JSONResponse({"error": "invalid_grant"}, 400)
        body = {
            "access_token": secrets.token_urlsafe(24),
            "token_type": "Bearer",
            "id_token": self._token(granted),
        }
        return JSONResponse(body)

    async def _control(self, request: Request) -> Response:
        refusal = refuse_remote(request)
        if refusal is not None:
            return refusal
        asked = orjson.loads(await read_body(request, BODY_BYTES_MAX) or b"{}")
        if asked.get("rotate"):
            self.rotate()
        self.changes = asked.get("claims", {})
        return JSONResponse({"ok": True})

    def _token(self, granted: _Granted) -> str:
        now = self._clock.now()
        claims = {
            "iss": self._issuer,
            "sub": f"account-{self._options.accounts.index(granted.email)}",
            "aud": self._options.client_id,
            "iat": int(now.timestamp()),
            "exp": int((now + TOKEN_PERIOD).timestamp()),
            "nonce": granted.nonce,
            "email": granted.email,
            "email_verified": True,
            **self.changes,
        }
        key_id, key = list(self._keys.items())[-1]
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": key_id})

    def _problem_of(self, query: dict[str, str]) -> str | None:
        is_known = (
            query.get("client_id") == self._options.client_id
            and query.get("redirect_uri") == self._options.redirect_uri
        )
        if not is_known:
            return "unauthorized_client"
        is_whole = (
            query.get("response_type") == "code"
            and "openid" in query.get("scope", "").split()
            and query.get("code_challenge_method") == "S256"
            and all(query.get(name) for name in ("state", "nonce", "code_challenge"))
        )
        return None if is_whole else "invalid_request"

    def _is_client(self, header: str) -> bool:
        scheme, _, told = header.partition(" ")
        try:
            user, _, password = base64.b64decode(told).decode().partition(":")
        except ValueError:
            return False
        own = self._options.client_id, self._options.client_secret
        return scheme.lower() == "basic" and (unquote(user), unquote(password)) == own


def _form(body: bytes | None) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs((body or b"").decode()).items()}
