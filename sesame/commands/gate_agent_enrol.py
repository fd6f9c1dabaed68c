"""`sesame gate-agent enrol`: a gate's first certificate, for a token that staff handed over."""

import json
import ssl
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit
from uuid import UUID

import typer
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from pydantic import BaseModel, ConfigDict

from gate_bridge.agent.credentials import (
    AUTHORITY_FILE,
    GATE_FILE,
    KEY_KEPT_FILE,
    new_key,
    read_file,
    request_with,
    write_private,
)
from gate_bridge.options import is_loopback
from parking.kit.errors import InvalidInputError, UnavailableError

TIMEOUT_S: Final = 20.0
ANSWER_BYTES_MAX: Final = 64 * 1024
TOKEN_BYTES_MAX: Final = 4096
_PATH: Final = "/gates/enrol"


class _Answer(BaseModel):
    """What the API answers."""

    model_config = ConfigDict(extra="ignore")

    certificate: str
    authority: str
    not_after: datetime


def enrol_command(
    url: Annotated[str, typer.Option(help="The API: https://host, or http:// on loopback.")],
    lane: Annotated[UUID, typer.Option(help="The lane's id.")],
    token_file: Annotated[Path, typer.Option(help="File that holds the one-time token.")],
    out: Annotated[Path, typer.Option(help="Folder for key and certificate; created if missing.")],
    *,
    tls_ca: Annotated[Path | None, typer.Option(help="CA of the API's certificate.")] = None,
) -> None:
    """Make a key, and fetch the certificate that lets this gate connect."""
    token = read_file(token_file)[:TOKEN_BYTES_MAX].decode("utf-8", errors="replace").strip()
    parts = urlsplit(url)
    is_local = parts.scheme == "http" and is_loopback(parts.hostname or "")
    if parts.scheme != "https" and not is_local:
        raise InvalidInputError("url", "https://, because the token would be readable")
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = out / KEY_KEPT_FILE
    # Kept before it is sent: after an answer that was lost, the same key gets the same certificate.
    if not kept.exists():
        write_private(kept, new_key())
    key_pem = read_file(kept)
    body = {"lane_id": str(lane), "token": token, "request": _pem(request_with(key_pem).der)}
    answer = _answer(*_post(url.rstrip("/") + _PATH, body, tls_ca))
    write_private(out / AUTHORITY_FILE, answer.authority.encode("ascii"))
    write_private(out / GATE_FILE, answer.certificate.encode("ascii") + key_pem)
    kept.unlink()
    typer.echo(f"certificate {out / GATE_FILE} until {answer.not_after:%Y-%m-%d}")
    typer.echo(f"authority   {out / AUTHORITY_FILE}")


def _post(url: str, body: dict[str, str], tls_ca: Path | None) -> tuple[int, bytes]:
    # Only this command calls somebody by HTTP: a lane's agent starts without the library.
    import httpx  # noqa: PLC0415

    context = ssl.create_default_context(cafile=tls_ca)
    try:
        with (
            httpx.Client(verify=context, timeout=TIMEOUT_S, trust_env=False) as client,
            client.stream("POST", url, json=body) as response,
        ):
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > ANSWER_BYTES_MAX:
                    raise UnavailableError("url: the answer is too long to be the API's")
            return response.status_code, bytes(content)
    except httpx.HTTPError as error:
        raise UnavailableError(f"url: {url} does not answer: {error}") from error


def _answer(status: int, content: bytes) -> _Answer:
    try:
        if status == HTTPStatus.OK:
            return _Answer.model_validate_json(content)
        told = str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError) as error:
        told = f"the API, and not an answer with status {status}"
        raise InvalidInputError("url", told) from error
    raise UnavailableError(told)


def _pem(der: bytes) -> str:
    request = x509.load_der_x509_csr(der)
    return request.public_bytes(serialization.Encoding.PEM).decode("ascii")
