"""Reading a request's body without letting it grow, or trickle in for ever."""

import asyncio
from typing import ClassVar, Final

from starlette.requests import ClientDisconnect, Request

from api.config import BODY_BYTES_MAX, BODY_TIMEOUT_S
from parking.kit.errors import ParkingError

# The rest of the body is still on its way: it must not be read as the next request.
REFUSED_HEADERS: Final = {"connection": "close"}
# Of a request's scope: the body, where the server has all of it before anybody asks.
WHOLE_BODY: Final = "sesame.whole_body"
CLIENT_CLOSED_REQUEST: Final = 499


class BodyRefusedError(ParkingError):
    """The body was not read to its end; answer with `status` and REFUSED_HEADERS."""

    status: ClassVar[int]


class BodyTooLargeError(BodyRefusedError):
    """The body has more bytes than allowed; the rest of it was not read."""

    code = "PAYLOAD_TOO_LARGE"
    status = 413

    def __init__(self, bytes_max: int) -> None:
        super().__init__(f"body: expected at most {bytes_max} bytes")


class BodyTooSlowError(BodyRefusedError):
    """The body was not there in time; whoever sends it holds a connection."""

    code = "REQUEST_TIMEOUT"
    retryable = True
    status = 408

    def __init__(self, timeout_s: float) -> None:
        super().__init__(f"body: expected all of it within {timeout_s:g} s")


class BodyAbandonedError(BodyRefusedError):
    """The client left in the middle; nobody reads the answer."""

    code = "CLIENT_CLOSED_REQUEST"
    status = CLIENT_CLOSED_REQUEST

    def __init__(self) -> None:
        super().__init__("body: the client closed the connection")


async def read_body(
    request: Request, bytes_max: int = BODY_BYTES_MAX, timeout_s: float | None = None
) -> bytes:
    """Return the whole body.

    Raises:
        BodyTooLargeError: it is larger than `bytes_max`, announced or not.
        BodyTooSlowError: it did not come within `timeout_s`, or BODY_TIMEOUT_S.
        BodyAbandonedError: the client left in the middle.
    """
    timeout_s = BODY_TIMEOUT_S if timeout_s is None else timeout_s
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > bytes_max:
        raise BodyTooLargeError(bytes_max)
    whole: bytes | None = request.scope.get(WHOLE_BODY)
    if whole is not None:
        if len(whole) > bytes_max:
            raise BodyTooLargeError(bytes_max)
        return whole
    try:
        async with asyncio.timeout(timeout_s):
            return await _read(request, bytes_max)
    except TimeoutError as error:
        raise BodyTooSlowError(timeout_s) from error
    except ClientDisconnect as error:
        raise BodyAbandonedError from error


async def _read(request: Request, bytes_max: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > bytes_max:
            raise BodyTooLargeError(bytes_max)
    return bytes(body)
