"""The official account's side: who has a page open, told by a code in an address."""

import hashlib
import hmac
import json
import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sesame.sandbox.platform import Platform
from sesame.sandbox.platform.pages import page

CODE_LIFETIME_MS: Final = 5 * 60 * 1000
CODES_MAX: Final = 1000
COOKIE: Final = "wechat_user"
# WeChat looks at the parameters' order, and at nothing after them.
_PARAMETERS = ["appid", "redirect_uri", "response_type", "scope", "state"]
_WRONG = {"appid": 40013, "secret": 40125, "grant_type": 40002}
_STATE = re.compile(r"[0-9A-Za-z]{0,128}")
_RANDOM_LENGTH, _CODE_LENGTH = 14, 13
_OPENID = re.compile(rf"o([0-9a-f]{{{_RANDOM_LENGTH}}})([0-9a-f]{{{_CODE_LENGTH}}})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An official account, bound to the merchant.

    Attributes:
        page_host: The host to which payers may be sent back.
    """

    app: str
    secret: str = field(repr=False)
    page_host: str


class Identities:
    """Gives each browser an openid of its own, which it keeps in a cookie."""

    def __init__(self, platform: Platform) -> None:
        self._key = platform.store.secret("openid_key", lambda: secrets.token_bytes(32))

    def of(self, request: Request) -> str | None:
        """Return the openid of a browser that was here before."""
        openid = request.cookies.get(COOKIE)
        return openid if openid is not None and self.is_known(openid) else None

    def new(self) -> str:
        """Return an openid that nobody has."""
        chance = secrets.token_hex(_RANDOM_LENGTH)[:_RANDOM_LENGTH]
        return f"o{chance}{self._code(chance)}"

    def is_known(self, openid: str) -> bool:
        """Return whether it is one of this account's."""
        match = _OPENID.fullmatch(openid)
        return match is not None and hmac.compare_digest(match[2], self._code(match[1]))

    def _code(self, chance: str) -> str:
        return hmac.new(self._key, chance.encode(), hashlib.sha256).hexdigest()[:_CODE_LENGTH]


class Authorization:
    """OAuth 2 as WeChat has it, with the scope `snsapi_base`: nobody is asked anything."""

    def __init__(self, platform: Platform, identities: Identities, account: Account) -> None:
        self._platform = platform
        self._identities = identities
        self._account = account
        self._codes: OrderedDict[str, tuple[str, int]] = OrderedDict()
        self._used: OrderedDict[str, None] = OrderedDict()

    def routes(self) -> list[Route]:
        """Return the page, and the call that changes a code into an openid."""
        return [
            Route("/connect/oauth2/authorize", self._authorize, methods=["GET"]),
            Route("/sns/oauth2/access_token", self._token, methods=["GET"]),
        ]

    async def _authorize(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return page("This page cannot be opened", refusal, status=400)
        openid = self._identities.of(request) or self._identities.new()
        code = secrets.token_hex(16)
        self._codes[code] = (openid, self._platform.now_ms() + CODE_LIFETIME_MS)
        _trim(self._codes)
        asked = request.query_params
        query = urlencode({"code": code, "state": asked["state"]})
        sign = "&" if urlsplit(asked["redirect_uri"]).query else "?"
        answer = RedirectResponse(f"{asked['redirect_uri']}{sign}{query}", 302)
        answer.set_cookie(COOKIE, openid, httponly=True, samesite="lax")
        return answer

    def _refusal(self, request: Request) -> str | None:
        asked = request.query_params
        if "MicroMessenger" not in request.headers.get("user-agent", ""):
            return "Please open the link in WeChat."
        if [name for name, _ in request.query_params.multi_items()] != _PARAMETERS:
            return f"expected {', '.join(_PARAMETERS)}, in this order"
        if asked["appid"] != self._account.app:
            return "appid: not known"
        back = urlsplit(asked["redirect_uri"])
        if back.scheme not in {"http", "https"} or back.hostname != self._account.page_host:
            return "redirect_uri: its host is not the account's"
        if (asked["response_type"], asked["scope"]) != ("code", "snsapi_base"):
            return "expected response_type=code and scope=snsapi_base"
        return None if _STATE.fullmatch(asked["state"]) else "state: up to 128 letters and digits"

    async def _token(self, request: Request) -> Response:
        content = self._exchange(dict(request.query_params))
        return Response(json.dumps(content), media_type="text/plain")

    def _exchange(self, asked: dict[str, str]) -> dict[str, object]:
        known = {"appid": self._account.app, "secret": self._account.secret}
        for name, value in (known | {"grant_type": "authorization_code"}).items():
            if asked.get(name) != value:
                return _error(_WRONG[name], f"invalid {name}")
        code = asked.get("code", "")
        if code in self._used:
            return _error(40163, "code been used")
        openid, ends_ms = self._codes.pop(code, ("", 0))
        if ends_ms <= self._platform.now_ms():
            return _error(40029, "invalid code")
        self._used[code] = None
        _trim(self._used)
        return {
            "access_token": secrets.token_urlsafe(32),
            "expires_in": 7200,
            "refresh_token": secrets.token_urlsafe(32),
            "openid": openid,
            "scope": "snsapi_base",
        }


def _trim(kept: OrderedDict[str, tuple[str, int]] | OrderedDict[str, None]) -> None:
    if len(kept) > CODES_MAX:
        kept.popitem(last=False)


def _error(code: int, message: str) -> dict[str, object]:
    return {"errcode": code, "errmsg": message}
