"""`GET /account/export`: everything that is kept about a driver, as a JSON file."""

from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from api.config import ApiConfig
from api.request import open_context
from parking.drivers.codes import limit_exports
from parking.drivers.confirmation import require_confirmed
from parking.drivers.errors import ReauthenticationRequiredError, TooManyRequestsError
from parking.drivers.purposes import CodePurpose
from parking.flows.accounts.export import export_account
from parking.flows.context import ParkingContext
from parking.kit.errors import ParkingError, UnavailableError
from parking.kit.token_errors import TokenRefusedError

PATH: Final = "/account/export"


class AccountExportEndpoint:
    """Hands out a driver's own data, to whoever proved a short time ago that it is theirs."""

    def __init__(self, parking: ParkingContext, config: ApiConfig) -> None:
        self._parking = parking
        self._config = config

    async def answer(self, request: Request) -> Response:
        """Answer with the file, written while it is read; or with why not."""
        try:
            identity = await open_context(request, self._parking, self._config).driver()
            async with self._parking.database.begin() as unit:
                await require_confirmed(unit, identity, CodePurpose.EXPORT_ACCOUNT)
                await limit_exports(unit, identity.driver_id)
        except TokenRefusedError as error:
            return _problem(401, error)
        except ReauthenticationRequiredError as error:
            return _problem(403, error)
        except TooManyRequestsError as error:
            return _problem(429, error, {"retry-after": str(error.retry_after_s)})
        except UnavailableError as error:
            return _problem(503, error)
        headers = {
            "content-disposition": 'attachment; filename="sesame-account.json"',
            "cache-control": "no-store",
        }
        return StreamingResponse(
            export_account(self._parking, identity.driver_id),
            media_type="application/json",
            headers=headers,
        )


def _problem(status: int, error: ParkingError, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"code": error.code}, status, headers)
