"""The keys that receipts are checked with, and receipts to keep as a file."""

import re
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.config import ApiConfig
from api.global_ids import BILL_KIND, decode_keys
from api.request import open_context
from parking.flows.context import ParkingContext
from parking.flows.proof import bill_view, receipt_links
from parking.flows.proof.receipts import KEYS_PATH, IssuedReceipt
from parking.kit.errors import InvalidInputError, ParkingError, UnavailableError
from parking.kit.token_errors import TokenExpiredError, TokenRefusedError
from parking.payments.errors import (
    BillUnknownError,
    ReceiptNotReadyError,
    ReceiptsUnavailableError,
)

RECEIPT_KEYS_PATH: Final = KEYS_PATH
KEY_SET_TYPE: Final = "application/jwk-set+json"
# A new key is known everywhere after an hour; a receipt it has signed asks for it by name.
KEYS_AGE_MAX_S: Final = 3600
FULL_PLATE: Final = "full"
# A stay has few bills, and Python reads no number of thousands of digits.
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")


async def receipt_keys(context: ParkingContext, request: Request) -> Response:
    """Answer with every key that signs or has signed receipts; browsers of any site may read it."""
    _ = request
    signer = context.receipts
    if signer is None:
        return _problem(404, ReceiptsUnavailableError())
    headers = {
        "cache-control": f"public, max-age={KEYS_AGE_MAX_S}",
        "access-control-allow-origin": "*",
        "cross-origin-resource-policy": "cross-origin",
    }
    return JSONResponse(dict(signer.key_set), headers=headers, media_type=KEY_SET_TYPE)


class ReceiptFileEndpoint:
    """Hands out receipts: to a bill's own driver, and to whoever paid it on a page."""

    def __init__(self, parking: ParkingContext, config: ApiConfig) -> None:
        self._parking = parking
        self._config = config

    async def of_driver(self, request: Request) -> Response:
        """Answer `/receipts/{bill}` for the driver of the bearer token; 404 for anybody else's."""
        try:
            driver_id = await open_context(request, self._parking, self._config).driver_id()
            name = str(request.path_params["bill"])
            operator_id, bill_id = decode_keys(name, kind=BILL_KIND, count=2, field="bill")
            issued = await bill_view.own_receipt(
                self._parking,
                driver_id,
                operator_id,
                bill_id,
                with_plate=request.query_params.get("plate") == FULL_PLATE,
            )
        except (TokenRefusedError, TokenExpiredError) as error:
            return _problem(401, error)
        except InvalidInputError:
            return _problem(404, BillUnknownError())
        except ParkingError as error:
            return _refusal(error)
        return _problem(404, BillUnknownError()) if issued is None else _file(issued)

    async def of_link(self, request: Request) -> Response:
        """Answer `/pay/{token}/receipts/{number}`: the address is the proof."""
        token, number = str(request.path_params["token"]), str(request.path_params["number"])
        if _NUMBER.fullmatch(number) is None:
            return _problem(404, BillUnknownError())
        try:
            return _file(await receipt_links.open_receipt_link(self._parking, token, int(number)))
        except ParkingError as error:
            return _refusal(error)


def _file(issued: IssuedReceipt) -> Response:
    return Response(
        orjson.dumps(issued.document(), option=orjson.OPT_INDENT_2),
        media_type="application/json",
        headers={"content-disposition": f'attachment; filename="receipt-{issued.number}.json"'},
    )


def _refusal(error: ParkingError) -> Response:
    if isinstance(error, BillUnknownError | ReceiptsUnavailableError):
        return _problem(404, error)
    if isinstance(error, ReceiptNotReadyError):
        return _problem(409, error)
    if isinstance(error, UnavailableError):
        return _problem(503, error)
    raise error


def _problem(status: int, error: ParkingError) -> Response:
    return JSONResponse({"code": error.code}, status)
