"""`/staff/sign-in`: how staff get in with a browser, stay in, and get out.

The refresh token is in a cookie that no script reads; a page asks for access tokens.
"""

import re
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from api.config import ApiConfig
from api.staff.sign_in_page import (
    PAGE_HEADERS,
    REFUSED,
    SIGN_IN_PATH,
    SIGNED_IN_PATH,
    UNAVAILABLE,
    render_sign_in,
    render_signed_in,
)
from parking.flows.context import ParkingContext
from parking.kit.errors import UnavailableError
from parking.kit.token_errors import TokenRefusedError
from parking.staff import oidc, sign_ins
from parking.staff.attempts import ATTEMPT_PERIOD
from parking.staff.errors import StaffSignInRefusedError
from parking.staff.oidc import Client, Returned
from parking.staff.sign_ins import StaffSignedIn

CALLBACK_PATH: Final = f"{SIGN_IN_PATH}/callback"
BEGUN_COOKIE: Final = "sesame_staff_begun"
REFRESH_COOKIE: Final = "sesame_staff"
_OWN_PLACES: Final = re.compile(r"/(console|staff)(/[A-Za-z0-9_-]+)*")
_PLACE_LENGTH_MAX: Final = 200
_OWN_SITES: Final = frozenset({"same-origin", "none"})


class SignInEndpoint:
    """Signs staff in through the operator's provider, and keeps them signed in."""

    def __init__(self, context: ParkingContext, config: ApiConfig) -> None:
        self._context = context
        self._config = config
        self._is_https = context.public_url.startswith("https:")

    def routes(self) -> list[Route]:
        """Return where all of it is."""
        return [
            Route(SIGN_IN_PATH, self.page),
            Route(SIGNED_IN_PATH, self.signed_in_page),
            Route(f"{SIGN_IN_PATH}/oidc", self.begin),
            Route(CALLBACK_PATH, self.finish),
            Route(f"{SIGN_IN_PATH}/token", self.token, methods=["POST"]),
            Route(f"{SIGN_IN_PATH}/end", self.end, methods=["POST"]),
        ]

    async def page(self, request: Request) -> Response:
        """Show the ways to sign in."""
        return self._page(request.query_params.get("return_to"))

    async def signed_in_page(self, request: Request) -> Response:
        """Say that it is done."""
        _ = request
        return HTMLResponse(render_signed_in(), headers=PAGE_HEADERS)

    async def begin(self, request: Request) -> Response:
        """Send the browser to the provider."""
        provider = self._config.staff_provider
        if provider is None:
            return self._page(None, problem=REFUSED, status=404)
        try:
            url, kept = await oidc.begin(
                self._context.database,
                provider,
                redirect_uri=self._context.public_url + CALLBACK_PATH,
                return_to=_own_place(request.query_params.get("return_to")),
            )
        except UnavailableError:
            return self._page(None, problem=UNAVAILABLE, status=503)
        response = RedirectResponse(url, 303)
        # It comes back from another site, by a link.
        self.set_begun(response, kept, same_site="lax")
        return response

    async def finish(self, request: Request) -> Response:
        """Sign in whom the provider names, and send the browser where it wanted to go."""
        try:
            signed_in, return_to = await self._finish(request)
        except StaffSignInRefusedError:
            response = self._page(None, problem=REFUSED, status=403)
        except UnavailableError:
            response = self._page(None, problem=UNAVAILABLE, status=503)
        else:
            response = RedirectResponse(return_to, 303)
            self.keep(response, signed_in)
        response.delete_cookie(BEGUN_COOKIE, path=SIGN_IN_PATH)
        return response

    async def token(self, request: Request) -> Response:
        """Answer with an access token for the cookie's refresh token, which is replaced."""
        if not is_own_page(request, self._context.public_url):
            return JSONResponse({"code": "FORBIDDEN"}, 403)
        try:
            async with self._context.database.begin() as unit:
                renewed = await sign_ins.refresh_sign_in(
                    unit, self._config.tokens, request.cookies.get(REFRESH_COOKIE, "")
                )
        except UnavailableError as error:
            return JSONResponse({"code": error.code}, 503)
        if isinstance(renewed, TokenRefusedError):
            response = JSONResponse({"code": renewed.code}, 401)
            response.delete_cookie(REFRESH_COOKIE, path=SIGN_IN_PATH)
            return response
        body = {
            "accessToken": renewed.access_token,
            "expiresAt": renewed.access_expires_at.isoformat(),
        }
        response = JSONResponse(body)
        self.keep(response, renewed)
        return response

    async def end(self, request: Request) -> Response:
        """End the sign-in of the cookie. Idempotent."""
        if not is_own_page(request, self._context.public_url):
            return JSONResponse({"code": "FORBIDDEN"}, 403)
        try:
            async with self._context.database.begin() as unit:
                await sign_ins.end_by_refresh(unit, request.cookies.get(REFRESH_COOKIE, ""))
        except UnavailableError as error:
            return JSONResponse({"code": error.code}, 503)
        response = JSONResponse({"ended": True})
        response.delete_cookie(REFRESH_COOKIE, path=SIGN_IN_PATH)
        return response

    def keep(self, response: Response, signed_in: StaffSignedIn) -> None:
        """Give the browser its refresh token, which goes nowhere else and no script reads."""
        self._set_cookie(
            response,
            REFRESH_COOKIE,
            signed_in.refresh_token,
            same_site="strict",
            expires_at=signed_in.refresh_expires_at,
        )

    def set_begun(self, response: Response, kept: str, *, same_site: str) -> None:
        """Give the browser what it keeps until its sign-in comes back."""
        self._set_cookie(response, BEGUN_COOKIE, kept, same_site=same_site)

    def done(self, signed_in: StaffSignedIn) -> Response:
        """Answer a script whose sign-in is done."""
        response = JSONResponse({"signedIn": True})
        self.keep(response, signed_in)
        response.delete_cookie(BEGUN_COOKIE, path=SIGN_IN_PATH)
        return response

    async def _finish(self, request: Request) -> tuple[StaffSignedIn, str]:
        query, provider = request.query_params, self._config.staff_provider
        if provider is None:
            raise StaffSignInRefusedError
        returned = Returned(
            kept=request.cookies.get(BEGUN_COOKIE),
            state=query.get("state"),
            code=query.get("code"),
            issuer=query.get("iss"),
        )
        return await oidc.finish(
            self._context.database, provider, self._config.tokens, returned, client_of(request)
        )

    def _page(self, return_to: str | None, *, problem: str = "", status: int = 200) -> Response:
        page = render_sign_in(
            return_to=_own_place(return_to),
            has_provider=self._config.staff_provider is not None,
            problem=problem,
        )
        return HTMLResponse(page, status, headers=PAGE_HEADERS)

    def _set_cookie(
        self,
        response: Response,
        name: str,
        value: str,
        *,
        same_site: str,
        expires_at: datetime | None = None,
    ) -> None:
        now = self._context.clock.now()
        period = ATTEMPT_PERIOD if expires_at is None else expires_at - now
        response.set_cookie(
            name,
            value,
            max_age=int(period.total_seconds()),
            path=SIGN_IN_PATH,
            secure=self._is_https,
            httponly=True,
            samesite="lax" if same_site == "lax" else "strict",
        )


def client_of(request: Request) -> Client:
    """Return what the browser calls itself."""
    return Client(request.headers.get("user-agent", ""), uuid4().hex)


def is_own_page(request: Request, public_url: str) -> bool:
    """Return whether one of our pages sends this: cookies go along with another site's, too."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in _OWN_SITES
    origin, own = request.headers.get("origin"), urlsplit(public_url)
    return origin is None or origin == f"{own.scheme}://{own.netloc}"


def _own_place(wanted: str | None) -> str:
    """Return where to go afterwards: never to another site, whoever wrote the link."""
    if wanted and len(wanted) <= _PLACE_LENGTH_MAX and _OWN_PLACES.fullmatch(wanted):
        return wanted
    return SIGNED_IN_PATH
