"""Answers over HTTP to requests that become no connection."""

import http
from collections.abc import Mapping

import orjson
from websockets.datastructures import Headers
from websockets.http11 import Response


def json_answer(status: http.HTTPStatus, body: Mapping[str, object]) -> Response:
    """Return an answer in JSON."""
    return answer(status, "application/json", orjson.dumps(body))


def answer(status: http.HTTPStatus, content_type: str, content: bytes) -> Response:
    """Return an answer that closes its connection."""
    headers = Headers(
        {
            "Content-Type": content_type,
            "Content-Length": str(len(content)),
            "Connection": "close",
            "Cache-Control": "no-store",
        }
    )
    return Response(status.value, status.phrase, headers, content)
