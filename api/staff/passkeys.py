"""`/staff/sign-in/passkey` and `/staff/sign-in/invitation`: signing in without a provider."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from api.body import REFUSED_HEADERS, BodyRefusedError, read_body
from api.config import ApiConfig
from api.staff.passkey_script import SCRIPT
from api.staff.sign_in import BEGUN_COOKIE, SignInEndpoint, client_of, is_own_page
from api.staff.sign_in_page import INVITATION_PATH, PAGE_HEADERS, SIGN_IN_PATH, render_invitation
from parking.flows.context import ParkingContext
from parking.kit.errors import InvalidInputError, ParkingError, UnavailableError
from parking.staff import passkeys
from parking.staff.errors import StaffSignInRefusedError
from parking.staff.passkeys import Site

_PASSKEY_PATH: Final = f"{SIGN_IN_PATH}/passkey"
_STATUS: Final[tuple[tuple[type[ParkingError], int], ...]] = (
    (StaffSignInRefusedError, 403),
    (InvalidInputError, 400),
    (UnavailableError, 503),
)
_Answer = Callable[[Request, dict[str, Any]], Awaitable[Response]]


class PasskeyEndpoint:
    """Registers passkeys, and signs staff in with them."""

    def __init__(self, context: ParkingContext, config: ApiConfig, sign_in: SignInEndpoint) -> None:
        self._context = context
        self._config = config
        self._sign_in = sign_in
        self._site = Site.of(context.public_url)

    def routes(self) -> list[Route]:
        """Return where all of it is."""
        posts = {
            f"{_PASSKEY_PATH}/options": self._options,
            _PASSKEY_PATH: self._use,
            f"{INVITATION_PATH}/options": self._registration_options,
            INVITATION_PATH: self._register,
        }
        return [
            Route(f"{_PASSKEY_PATH}.js", self._script),
            Route(INVITATION_PATH, self._page),
            *(
                Route(path, self._guarded(answer), methods=["POST"])
                for path, answer in posts.items()
            ),
        ]

    async def _script(self, request: Request) -> Response:
        _ = request
        return Response(SCRIPT, media_type="text/javascript")

    async def _page(self, request: Request) -> Response:
        # The invitation comes after the `#`: it is sent to nobody with the page.
        _ = request
        return HTMLResponse(render_invitation(), headers=PAGE_HEADERS)

    def _guarded(self, answer: _Answer) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            if not is_own_page(request, self._context.public_url):
                return JSONResponse({"code": "FORBIDDEN"}, 403)
            try:
                return await answer(request, await _json(request))
            except BodyRefusedError as error:
                return JSONResponse({"code": error.code}, error.status, REFUSED_HEADERS)
            except ParkingError as error:
                status = next((code for kind, code in _STATUS if isinstance(error, kind)), None)
                if status is None:
                    raise
                return JSONResponse({"code": error.code}, status)

        return guarded

    async def _options(self, request: Request, body: dict[str, Any]) -> Response:
        _ = request, body
        return self._begun(*passkeys.sign_in_options(self._context.database, self._site))

    async def _use(self, request: Request, body: dict[str, Any]) -> Response:
        signed_in = await passkeys.sign_in(
            self._context.database,
            self._config.tokens,
            self._site,
            client_of(request),
            kept=request.cookies.get(BEGUN_COOKIE),
            credential=_object(body, "credential"),
        )
        return self._sign_in.done(signed_in)

    async def _registration_options(self, request: Request, body: dict[str, Any]) -> Response:
        _ = request
        token = str(body.get("token", ""))
        return self._begun(
            *await passkeys.registration_options(self._context.database, self._site, token)
        )

    async def _register(self, request: Request, body: dict[str, Any]) -> Response:
        signed_in = await passkeys.register(
            self._context.database,
            self._config.tokens,
            self._site,
            client_of(request),
            kept=request.cookies.get(BEGUN_COOKIE),
            credential=_object(body, "credential"),
            name=str(body.get("name", "")),
        )
        return self._sign_in.done(signed_in)

    def _begun(self, options: str, kept: str) -> Response:
        response = Response(options, media_type="application/json")
        self._sign_in.set_begun(response, kept, same_site="strict")
        return response


async def _json(request: Request) -> dict[str, Any]:
    try:
        body: object = orjson.loads(await read_body(request))
    except orjson.JSONDecodeError as error:
        raise InvalidInputError("body", "JSON") from error
    if not isinstance(body, dict):
        raise InvalidInputError("body", "an object")
    return cast("dict[str, Any]", body)


def _object(body: dict[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name)
    if not isinstance(value, dict):
        raise InvalidInputError(name, "an object")
    return cast("dict[str, Any]", value)
