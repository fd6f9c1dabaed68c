"""What a test or a demo asks a stand-in itself is answered on loopback only."""

from ipaddress import ip_address
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

_NAMES: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def refuse_remote(request: Request) -> Response | None:
    """Return a refusal for a caller on another machine, or for a web page of another site.

    A page that a browser shows on this machine, and a tunnel to it, also call from loopback: the
    one says where it comes from, the other by which name it is reached.
    """
    host = request.client.host if request.client else ""
    try:
        is_local = ip_address(host).is_loopback
    except ValueError:
        is_local = False
    if is_local and request.url.hostname in _NAMES and "origin" not in request.headers:
        return None
    return JSONResponse({"code": "loopback_only"}, 403)


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
