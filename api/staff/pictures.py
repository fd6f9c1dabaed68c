"""`/staff/pictures/{frame}`: a lane's picture for the staff of its operator."""

from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.config import ApiConfig
from api.request import open_context
from api.staff.file_gate import admit
from api.staff.permissions import LANE_PICTURES
from parking.flows.context import ParkingContext
from parking.flows.disputes.dispute_pictures import find_picture
from parking.kit.errors import UnavailableError
from parking.kit.token_errors import TokenExpiredError, TokenRefusedError
from parking.staff.errors import StaffForbiddenError

PATH: Final = "/staff/pictures/{frame}"
# A picture shows a plate and whoever sits behind it: no cache keeps it, not the browser's either.
_HEADERS: Final = {"cache-control": "private, no-store", "vary": "authorization"}
_CHALLENGE: Final = {"www-authenticate": "Bearer"}
_FRAME_LENGTH_MAX: Final = 36
_ACTION: Final = "lanePicture"


class PictureEndpoint:
    """Serves pictures by their id, never by a path or a name."""

    def __init__(self, context: ParkingContext, config: ApiConfig) -> None:
        self._context = context
        self._config = config

    async def answer(self, request: Request) -> Response:
        """Answer with the picture; 401 without a staff token, 404 for every other picture."""
        try:
            asked = open_context(request, self._context, self._config)
            staff = await admit(asked, LANE_PICTURES, _ACTION, request.path_params["frame"])
        except (TokenExpiredError, TokenRefusedError) as error:
            return JSONResponse({"code": error.code}, 401, _CHALLENGE)
        except StaffForbiddenError as error:
            return JSONResponse({"code": error.code}, 403)
        except UnavailableError as error:
            return JSONResponse({"code": error.code}, 503)
        frame_id = _frame_id(request.path_params["frame"])
        try:
            picture = (
                None
                if frame_id is None
                else await find_picture(
                    self._context, staff.operator_id, frame_id, places=staff.places
                )
            )
        except UnavailableError as error:
            return JSONResponse({"code": error.code}, 503)
        if picture is None:
            return JSONResponse({"code": "PICTURE_UNKNOWN"}, 404)
        return Response(picture.image, media_type=picture.content_type, headers=_HEADERS)


def picture_url(public_url: str, frame_id: UUID) -> str:
    """Return where staff fetch a picture, with their token."""
    return public_url + PATH.replace("{frame}", str(frame_id))


def _frame_id(text: str) -> UUID | None:
    if len(text) > _FRAME_LENGTH_MAX:
        return None
    try:
        return UUID(text)
    except ValueError:
        return None
