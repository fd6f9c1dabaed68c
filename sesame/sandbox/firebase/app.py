"""Google's certificates, its token endpoint and its user lookup; and ID tokens to try them with.

GET /certificates                          {key id: PEM}, with Cache-Control
POST /token                                the service account's grant, its signature checked
POST /v1/projects/{project}/accounts:lookup  users, to whoever has a token
POST /_users                               adds or changes a user; answers with an ID token

What begins with _ is answered on loopback only.
"""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from parking.kit.clock import Clock
from sesame.sandbox.fcm.grant import (
    KEY_BITS,
    PUBLIC_EXPONENT,
    GrantRefusedError,
    Grants,
    ServiceAccount,
)
from sesame.sandbox.loopback import read_body, refuse_remote

BODY_BYTES_MAX: Final = 16 * 1024
LOOKED_UP_MAX: Final = 100
USERS_MAX: Final = 10_000
UID_LENGTH_MAX: Final = 128
TOKEN_LIFE_S: Final = 3600
CERTIFICATE_LIFE: Final = timedelta(days=16)
CACHE_CONTROL: Final = "public, max-age=21600, must-revalidate, no-transform"
# As Google permits it; narrower ones do not.
SCOPES: Final = frozenset(
    {
        "https://www.googleapis.com/auth/identitytoolkit",
        "https://www.googleapis.com/auth/cloud-platform",
    }
)
_COMMON_NAME: Final = "securetoken.system.gserviceaccount.com"


@dataclass(slots=True)
class FirebaseStandInUser:
    """One user of the project.

    Attributes:
        valid_since: Seconds since 1970; tokens of earlier proofs were taken back.
    """

    uid: str
    phone_number: str | None = None
    disabled: bool = False
    valid_since: int = 0


class _GivenUser(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    uid: str = Field(min_length=1, max_length=UID_LENGTH_MAX)
    phone_number: str | None = Field(default=None, alias="phoneNumber", max_length=32)
    disabled: bool = False
    valid_since: int = Field(default=0, alias="validSince", ge=0)


@dataclass(slots=True)
class FirebaseStandIn:
    """One project with its users and one key.

    Attributes:
        key_id: Of the key that signs tokens.
        fetched: How often the certificates were asked for.
        looked_up: How often a user was.
    """

    account: ServiceAccount
    clock: Clock
    key_id: str = "key-1"
    cache_control: str = CACHE_CONTROL
    fetched: int = 0
    looked_up: int = 0
    users: dict[str, FirebaseStandInUser] = field(default_factory=dict[str, FirebaseStandInUser])
    key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(PUBLIC_EXPONENT, KEY_BITS), repr=False
    )
    grants: Grants = field(init=False)
    app: Starlette = field(init=False)

    def __post_init__(self) -> None:
        self.grants = Grants(self.account, self.clock, SCOPES)
        lookup_path = f"/v1/projects/{self.account.project_id}/accounts:lookup"
        self.app = Starlette(
            routes=[
                Route("/certificates", self._certificates, methods=["GET"]),
                Route("/token", self._token, methods=["POST"]),
                Route(lookup_path, self._lookup, methods=["POST"]),
                Route("/_users", self._put_user, methods=["POST"]),
            ]
        )

    def add_user(self, user: FirebaseStandInUser) -> None:
        """Add a user, or replace the one of the same uid."""
        if len(self.users) >= USERS_MAX and user.uid not in self.users:
            raise ValueError(f"users: at most {USERS_MAX}")
        self.users[user.uid] = user

    def claims(self, uid: str, **changes: object) -> dict[str, Any]:
        """Return what a token of a user says now."""
        now = int(self.clock.now().timestamp())
        user = self.users.get(uid)
        number = None if user is None else user.phone_number
        phone = {} if number is None else {"phone_number": number}
        return {
            "iss": f"https://securetoken.google.com/{self.account.project_id}",
            "aud": self.account.project_id,
            "auth_time": now,
            "user_id": uid,
            "sub": uid,
            "iat": now,
            "exp": now + TOKEN_LIFE_S,
            **phone,
            "firebase": {
                "identities": {"phone": list(phone.values())},
                "sign_in_provider": "phone" if phone else "google.com",
            },
            **changes,
        }

    def mint(self, uid: str, **changes: object) -> str:
        """Return an ID token of a user; `changes` are claims that say something else."""
        headers = {"kid": self.key_id}
        return jwt.encode(self.claims(uid, **changes), self.key, algorithm="RS256", headers=headers)

    def certificate(self) -> str:
        """Return the certificate of the key, PEM."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _COMMON_NAME)])
        now = self.clock.now()
        built = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + CERTIFICATE_LIFE)
            .sign(self.key, hashes.SHA256())
        )
        return built.public_bytes(serialization.Encoding.PEM).decode()

    async def _certificates(self, request: Request) -> Response:
        _ = request
        self.fetched += 1
        headers = {"cache-control": self.cache_control}
        return JSONResponse({self.key_id: self.certificate()}, headers=headers)

    async def _token(self, request: Request) -> Response:
        body = await read_body(request, BODY_BYTES_MAX)
        try:
            token = self.grants.exchange(dict(parse_qsl((body or b"").decode("ascii"))))
        except (GrantRefusedError, UnicodeDecodeError) as error:
            refusal = {"error": "invalid_grant", "error_description": str(error)}
            return JSONResponse(refusal, 400)
        return JSONResponse({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    async def _lookup(self, request: Request) -> Response:
        self.looked_up += 1
        if not self.grants.accepts(request.headers.get("authorization", "")):
            return JSONResponse({"error": {"code": 401, "status": "UNAUTHENTICATED"}}, 401)
        try:
            wanted: Any = json.loads(await read_body(request, BODY_BYTES_MAX) or b"")
            ids = [str(one) for one in wanted["localId"]][:LOOKED_UP_MAX]
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"error": {"code": 400, "status": "INVALID_ARGUMENT"}}, 400)
        found = [_shown(self.users[uid]) for uid in ids if uid in self.users]
        answer: dict[str, Any] = {"kind": "identitytoolkit#GetAccountInfoResponse"}
        # Google leaves the list out where nobody was found.
        return JSONResponse({**answer, "users": found} if found else answer)

    async def _put_user(self, request: Request) -> Response:
        refusal = refuse_remote(request)
        if refusal is not None:
            return refusal
        try:
            given = _GivenUser.model_validate_json(await read_body(request, BODY_BYTES_MAX) or b"")
            self.add_user(FirebaseStandInUser(**given.model_dump()))
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False, include_input=False)
            return JSONResponse({"problems": problems}, 400)
        except ValueError as error:
            return JSONResponse({"problems": [str(error)]}, 400)
        return JSONResponse({"idToken": self.mint(given.uid)})


def _shown(user: FirebaseStandInUser) -> dict[str, Any]:
    shown: dict[str, Any] = {"localId": user.uid, "validSince": str(user.valid_since)}
    if user.phone_number is not None:
        shown["phoneNumber"] = user.phone_number
    if user.disabled:
        shown["disabled"] = True
    return shown
