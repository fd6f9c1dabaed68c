"""A stand-in for a browser and its push service: it checks the token, and reads the messages.

POST /push/{name}   takes a message; a name that begins with `gone-`, `unknown-`, `large-`,
                    `busy-` or `down-` fails in that way
GET /_messages      what came, read with the browser's key: on loopback only
"""

import json
from collections import deque
from typing import Any, Final

import jwt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from parking.drivers.web_push import decode, encode, public_bytes
from parking.kit.clock import Clock
from sesame.sandbox.loopback import read_body, refuse_remote

BODY_BYTES_MAX: Final = 4096
KEPT_MAX: Final = 1000
TOKEN_LIFE_S_MAX: Final = 24 * 3600
_SALT_BYTES: Final = 16
_HEADER_BYTES: Final = 21
_STATUSES: Final = {"gone": 410, "unknown": 404, "large": 413, "busy": 429, "down": 503}
_RETRY_AFTER_S: Final = "30"


class WebPushStandIn:
    """One browser, whose subscription has `keys`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._auth = encode(b"sixteen bytes of")
        self._public = public_bytes(self._key.public_key())
        self.messages: deque[dict[str, Any]] = deque(maxlen=KEPT_MAX)
        self.headers: deque[dict[str, str]] = deque(maxlen=KEPT_MAX)
        self.app = Starlette(
            routes=[
                Route("/push/{name}", self._take, methods=["POST"]),
                Route("/_messages", self._show, methods=["GET"]),
            ]
        )

    @property
    def keys(self) -> dict[str, str]:
        """What the browser gives with its endpoint."""
        return {"p256dh": encode(self._public), "auth": self._auth}

    async def _take(self, request: Request) -> Response:
        kind = request.path_params["name"].partition("-")[0]
        if kind in _STATUSES:
            is_busy = kind in {"busy", "down"}
            headers = {"Retry-After": _RETRY_AFTER_S} if is_busy else {}
            return Response(status_code=_STATUSES[kind], headers=headers)
        body = await read_body(request, BODY_BYTES_MAX)
        if body is None:
            return Response(status_code=413)
        if not self._is_signed(request):
            return Response(status_code=403)
        try:
            said = json.loads(self._read(body))
        except (InvalidTag, ValueError, IndexError):
            return Response(status_code=400)
        self.messages.append(said)
        self.headers.append(dict(request.headers))
        location = {"Location": f"/message/{len(self.messages)}"}
        return Response(status_code=201, headers=location)

    async def _show(self, request: Request) -> Response:
        refusal = refuse_remote(request)
        return refusal or JSONResponse({"messages": list(self.messages)})

    def _is_signed(self, request: Request) -> bool:
        """Check the token (RFC 8292): its key, audience, life and contact."""
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        given = {part.strip()[:1]: part.strip()[2:] for part in rest.split(",")}
        if scheme != "vapid" or not request.headers.get("ttl", "").isdigit():
            return False
        try:
            key = ec.EllipticCurvePublicKey.from_encoded_point(
                ec.SECP256R1(), decode(given.get("k", ""))
            )
            claims: dict[str, Any] = jwt.decode(
                given.get("t", ""),
                key,
                algorithms=["ES256"],
                audience=f"{request.url.scheme}://{request.url.netloc}",
                options={"verify_exp": False, "require": ["aud", "exp", "sub"]},
            )
        except (jwt.InvalidTokenError, ValueError):
            return False
        left_s = claims["exp"] - self._clock.now().timestamp()
        return 0 < left_s <= TOKEN_LIFE_S_MAX and claims["sub"].startswith(("mailto:", "https:"))

    def _read(self, body: bytes) -> bytes:
        """Return the message of one record (RFC 8188), written apart from our sender."""
        salt, id_length = body[:_SALT_BYTES], body[_HEADER_BYTES - 1]
        sender, record = body[_HEADER_BYTES:][:id_length], body[_HEADER_BYTES + id_length :]
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
        shared = self._key.exchange(ec.ECDH(), theirs)
        info = b"WebPush: info\0" + self._public + sender
        secret = HKDF(SHA256(), 32, decode(self._auth), info).derive(shared)
        key = HKDF(SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(secret)
        nonce = HKDF(SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(secret)
        padded = AESGCM(key).decrypt(nonce, record, None).rstrip(b"\0")
        if not padded.endswith(b"\2"):
            raise ValueError("record: expected the last one")
        return padded[:-1]
