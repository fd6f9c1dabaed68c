"""`/staff/licence-pictures/{picture}`: a vehicle licence for the staff who decide on a claim."""

from typing import Final

import strawberry
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api import remade_picture
from api.config import ApiConfig
from api.global_ids import decode_keys, encode_id
from api.request import open_context
from api.staff.file_gate import admit, keep_opened
from api.staff.permissions import LICENCE_PICTURES
from parking.flows.context import ParkingContext
from parking.kit.errors import InvalidInputError, UnavailableError
from parking.kit.token_errors import TokenExpiredError, TokenRefusedError
from parking.plates import licences
from parking.staff.errors import StaffForbiddenError

PATH: Final = "/staff/licence-pictures/{picture}"
_KIND: Final = "LicencePicture"
_ACTION: Final = "licencePicture"
# Nobody's cache keeps a name and an address, and no browser takes it for anything but a picture.
_HEADERS: Final = {
    "cache-control": "private, no-store",
    "vary": "authorization",
    "content-disposition": 'inline; filename="licence.jpg"',
    "content-security-policy": "default-src 'none'; sandbox",
}
_CHALLENGE: Final = {"www-authenticate": "Bearer"}


class LicencePictureEndpoint:
    """Serves pictures of licences by their id, never by a path or a name."""

    def __init__(self, context: ParkingContext, config: ApiConfig) -> None:
        self._context = context
        self._config = config

    async def answer(self, request: Request) -> Response:
        """Answer with the picture; 401 without a staff token, 404 for what is not there."""
        try:
            name = request.path_params["picture"]
            asked = open_context(request, self._context, self._config)
            staff = await admit(asked, LICENCE_PICTURES, _ACTION, name)
            keys = decode_keys(name, kind=_KIND, count=3, field="picture")
            async with self._context.database.begin() as unit:
                picture = await licences.open_picture(unit, *keys)
            if picture is not None:
                await keep_opened(asked, staff, _ACTION, name)
        except (TokenExpiredError, TokenRefusedError) as error:
            return JSONResponse({"code": error.code}, 401, _CHALLENGE)
        except StaffForbiddenError as error:
            return JSONResponse({"code": error.code}, 403)
        except InvalidInputError:
            picture = None
        except UnavailableError as error:
            return JSONResponse({"code": error.code}, 503)
        if picture is None:
            return JSONResponse({"code": "PICTURE_UNKNOWN"}, 404)
        return Response(picture, media_type=remade_picture.CONTENT_TYPE, headers=_HEADERS)


def picture_url(public_url: str, stored: licences.StoredPicture) -> str:
    """Return where staff fetch a picture, with their token."""
    keys = (stored.plate_index, stored.claim_id, stored.picture_id)
    name: strawberry.ID = encode_id(_KIND, *keys)
    return public_url + PATH.replace("{picture}", name)
