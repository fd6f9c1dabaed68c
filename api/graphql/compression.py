"""gzip for answers that are worth it.

What BREACH needs is missing: a page of another site cannot make a browser ask with the driver's
token, which is in no cookie.
"""

import asyncio
import zlib
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.config import COMPRESSED_AT_ONCE_BYTES_MAX, COMPRESSED_BYTES_MIN

# More effort saves 5 % and takes three times as long.
_LEVEL: Final = 1
_GZIP: Final = 31


async def compressed(request: Request, response: Response) -> Response:
    """Return the response, compressed where the client takes it and its size is worth it."""
    body = bytes(response.body)
    if len(body) < COMPRESSED_BYTES_MIN:
        return response
    response.headers["vary"] = "accept-encoding"
    if not takes_gzip(request.headers.get("accept-encoding", "")):
        return response
    if len(body) <= COMPRESSED_AT_ONCE_BYTES_MAX:
        response.body = _compress(body)
    else:
        response.body = await asyncio.to_thread(_compress, body)
    response.headers["content-encoding"] = "gzip"
    response.headers["content-length"] = str(len(response.body))
    return response


def takes_gzip(accepted: str) -> bool:
    """Return whether a client's `accept-encoding` names gzip, and not as what it refuses."""
    for one in accepted.lower().split(","):
        name, _, quality = one.partition(";")
        if name.strip() in {"gzip", "*"}:
            return quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _compress(body: bytes) -> bytes:
    return zlib.compress(body, _LEVEL, _GZIP)
