"""`/plate-claims/{claim}/pictures`: a driver sends pictures of the vehicle licence for a claim."""

import asyncio
from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api import remade_picture
from api.body import REFUSED_HEADERS, BodyRefusedError, read_body
from api.config import ApiConfig
from api.global_ids import decode_id
from api.request import open_context
from parking.drivers.codes import limit_uploads
from parking.drivers.errors import TooManyRequestsError
from parking.flows.context import ParkingContext
from parking.kit.errors import InvalidInputError, ParkingError, UnavailableError
from parking.kit.token_errors import TokenExpiredError, TokenRefusedError
from parking.plates import licences
from parking.plates.errors import ClaimNotFoundError, PicturesExhaustedError

PATH: Final = "/plate-claims/{claim}/pictures"
CONTENT_TYPES: Final = frozenset({"image/jpeg", "image/png", "image/webp"})
# A phone on a garage's network: longer than for a query.
UPLOAD_TIMEOUT_S: Final = 60.0
UPLOADS_AT_ONCE_MAX: Final = 16
# Each holds a decoded picture of up to 60 MB.
DECODED_AT_ONCE_MAX: Final = 2
_CHALLENGE: Final = {"www-authenticate": "Bearer"}
_RETRY: Final = {"retry-after": "5", **REFUSED_HEADERS}


class UploadEndpoint:
    """Takes one picture a request, one request a driver at a time."""

    def __init__(self, context: ParkingContext, config: ApiConfig) -> None:
        self._context = context
        self._config = config
        self._uploading: set[UUID] = set()
        self._decoding = asyncio.Semaphore(DECODED_AT_ONCE_MAX)

    async def answer(self, request: Request) -> Response:
        """Answer 201 with how many pictures the claim has; its claim must be the driver's own."""
        try:
            driver_id = await open_context(request, self._context, self._config).driver_id()
        except (TokenRefusedError, TokenExpiredError) as error:
            return _problem(401, error, _CHALLENGE | REFUSED_HEADERS)
        except UnavailableError as error:
            return _problem(503, error, _RETRY)
        if driver_id in self._uploading or len(self._uploading) >= UPLOADS_AT_ONCE_MAX:
            return JSONResponse({"code": "TOO_MANY_UPLOADS"}, 429, _RETRY)
        self._uploading.add(driver_id)
        try:
            return JSONResponse({"pictures": await self._take(request, driver_id)}, 201)
        except TooManyRequestsError as error:
            wait = {"retry-after": str(error.retry_after_s), **REFUSED_HEADERS}
            return _problem(429, error, wait)
        except ParkingError as error:
            retry = _RETRY if isinstance(error, UnavailableError) else REFUSED_HEADERS
            return _problem(_status(error), error, retry)
        finally:
            self._uploading.discard(driver_id)

    async def _take(self, request: Request, driver_id: UUID) -> int:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in CONTENT_TYPES:
            raise InvalidInputError("contentType", f"one of {', '.join(sorted(CONTENT_TYPES))}")
        try:
            claim_id = decode_id(request.path_params["claim"], kind="PlateClaim", field="claim")
        except InvalidInputError as error:
            raise ClaimNotFoundError from error
        # Asked before the body is read: nobody sends megabytes for somebody else's claim.
        async with self._context.database.begin() as unit:
            await licences.require_open(unit, driver_id, claim_id)
            await limit_uploads(unit, driver_id)
        sent = await read_body(request, remade_picture.PICTURE_BYTES_MAX, UPLOAD_TIMEOUT_S)
        async with self._decoding:
            picture = await asyncio.to_thread(remade_picture.remake, sent)
        async with self._context.database.begin() as unit:
            return await licences.add_picture(unit, driver_id, claim_id, picture)


def _status(error: ParkingError) -> int:
    """Return the HTTP status of a refusal; 409 where the claim itself takes nothing more."""
    match error:
        case BodyRefusedError():
            return error.status
        case UnavailableError():
            return 503
        case InvalidInputError():
            return 415 if error.field == "contentType" else 400
        case ClaimNotFoundError():
            return 404
        case PicturesExhaustedError():
            return 429
        case _:
            return 409


def _problem(status: int, error: ParkingError, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"code": error.code, "message": str(error)}, status, headers)
