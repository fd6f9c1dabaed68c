"""Reading a request's body without letting it grow."""

from starlette.requests import ClientDisconnect, Request

from api.config import BODY_BYTES_MAX
from parking.kit.errors import ParkingError


class BodyTooLargeError(ParkingError):
    """The body has more than BODY_BYTES_MAX bytes; the rest of it was not read."""

    code = "PAYLOAD_TOO_LARGE"

    def __init__(self) -> None:
        super().__init__(f"body: expected at most {BODY_BYTES_MAX} bytes")


async def read_body(request: Request) -> bytes:
    """Return the whole body.

    Raises:
        BodyTooLargeError: it is larger than BODY_BYTES_MAX, announced or not.
        ClientDisconnect: the client left in the middle.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > BODY_BYTES_MAX:
        raise BodyTooLargeError
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise BodyTooLargeError
    return bytes(body)


__all__ = ["BodyTooLargeError", "ClientDisconnect", "read_body"]
