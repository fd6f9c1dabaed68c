"""The keys that receipts are checked with, and receipts to keep as a file."""

from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from parking.flows.context import ParkingContext

RECEIPT_KEYS_PATH: Final = "/.well-known/sesame-receipt-keys.json"
KEY_SET_TYPE: Final = "application/jwk-set+json"
# A new key is known everywhere after an hour; a receipt it has signed asks for it by name.
KEYS_AGE_MAX_S: Final = 3600


async def receipt_keys(context: ParkingContext, request: Request) -> Response:
    """Answer with every key that signs or has signed receipts; browsers of any site may read it."""
    _ = request
    signer = context.receipts
    if signer is None:
        return JSONResponse({"code": "RECEIPTS_UNAVAILABLE"}, 404)
    headers = {
        "cache-control": f"public, max-age={KEYS_AGE_MAX_S}",
        "access-control-allow-origin": "*",
        "cross-origin-resource-policy": "cross-origin",
    }
    return JSONResponse(dict(signer.key_set), headers=headers, media_type=KEY_SET_TYPE)
