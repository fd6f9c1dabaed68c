"""What a test or a demo asks a stand-in itself is answered on loopback only."""

from ipaddress import ip_address

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response


def refuse_remote(request: Request) -> Response | None:
    """Return a refusal for a caller on another machine."""
    host = request.client.host if request.client else ""
    try:
        is_local = ip_address(host).is_loopback
    except ValueError:
        is_local = False
    return None if is_local else JSONResponse({"code": "loopback_only"}, 403)


async def read_body(request: Request, bytes_max: int) -> bytes | None:
    """Return the body, or None if it is longer than `bytes_max` or the caller has gone."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > bytes_max:
                return None
    except ClientDisconnect:
        return None
    return bytes(body)
