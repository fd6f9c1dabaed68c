"""A stand-in for a service that has fapiao issued: docs/fapiao-wire.md."""

import hashlib
import hmac
from collections import deque
from datetime import timedelta
from typing import Annotated, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from parking.invoices.fapiao.fake import NUMBER_CONFLICT, FakeFapiaoService
from parking.invoices.fapiao.port import (
    FapiaoApplication,
    FapiaoLine,
    FapiaoResult,
    FapiaoStatus,
)
from parking.invoices.parties import EMAIL_LENGTH_MAX
from parking.kit.clock import Clock
from sesame.sandbox.loopback import read_body, refuse_remote

BODY_BYTES_MAX: Final = 256 * 1024
NONCES_KEPT_MAX: Final = 10_000
TIMESTAMP_WINDOW: Final = timedelta(minutes=5)
# A page with nothing on it: enough for a link to lead somewhere.
_PDF: Final = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\n"
    b"trailer<</Root 1 0 R>>\n%%EOF\n"
)

_Text = Annotated[str, Field(min_length=1, max_length=200)]
_Minor = Annotated[int, Field(ge=0, lt=2**53)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Line(_Model):
    name: _Text
    vat_basis_points: Annotated[int, Field(ge=0, le=10_000)]
    net_minor: _Minor
    vat_minor: _Minor
    gross_minor: _Minor


class _Seller(_Model):
    name: _Text
    tax_number: Annotated[str, Field(pattern=r"^[0-9A-Z]{18}$")]


class _Title(_Model):
    name: _Text
    tax_number: Annotated[str, Field(pattern=r"^[0-9A-Z]{18}$")] | None


class ApplicationBody(_Model):
    """What a call applies for."""

    number: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    red_of: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None
    reason: Annotated[str, Field(max_length=200)]
    seller: _Seller
    title: _Title
    email: Annotated[str, Field(min_length=1, max_length=EMAIL_LENGTH_MAX)] | None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    lines: Annotated[list[_Line], Field(min_length=1, max_length=100)]
    gross_minor: _Minor

    def adds_up(self) -> bool:
        """Whether the amounts agree."""
        lines_agree = all(
            line.net_minor + line.vat_minor == line.gross_minor for line in self.lines
        )
        return lines_agree and sum(line.gross_minor for line in self.lines) == self.gross_minor


class _Control(_Model):
    number: str | None = None
    action: Annotated[str, Field(pattern=r"^(issue|fail|issue_on_query|hold)$")]
    code: str = "title_refused"


class FapiaoStandIn:
    """Verifies calls, keeps the books, signs answers.

    On loopback, `POST /_control` issues or fails an application, and `GET /_books` shows them.
    """

    def __init__(self, account: str, secret: str, clock: Clock, *, public_url: str) -> None:
        self._account = account
        self._secret = secret.encode()
        self._clock = clock
        self._nonces: deque[str] = deque(maxlen=NONCES_KEPT_MAX)
        self.service = FakeFapiaoService(clock, pdf_base_url=f"{public_url}/pdf")
        self.service.issues_on_query = True
        self.app = Starlette(
            routes=[
                Route("/v1/fapiao", self._apply, methods=["POST"]),
                Route("/v1/fapiao/{number}", self._query, methods=["GET"]),
                Route("/pdf/{name}", self._pdf, methods=["GET"]),
                Route("/_control", self._control, methods=["POST"]),
                Route("/_books", self._books, methods=["GET"]),
            ]
        )

    async def _apply(self, request: Request) -> Response:
        body = await read_body(request, BODY_BYTES_MAX)
        if body is None:
            return JSONResponse({"code": "body_too_large"}, 413)
        refusal = self._refuse(request, body)
        if refusal is not None:
            return refusal
        try:
            sent = ApplicationBody.model_validate_json(body)
        except ValidationError:
            return self._signed(request, {"code": "invalid_request"}, 400)
        if not sent.adds_up():
            return self._signed(request, {"code": "amounts_disagree"}, 400)
        result = self.service.take(_application(sent))
        if result.failure_code == NUMBER_CONFLICT:
            return self._signed(request, {"code": NUMBER_CONFLICT}, 409)
        return self._signed(request, self._answer(result), 200)

    async def _query(self, request: Request) -> Response:
        refusal = self._refuse(request, b"")
        if refusal is not None:
            return refusal
        result = self.service.look_up(str(request.path_params["number"]))
        if result.status == FapiaoStatus.NOT_FOUND:
            return self._signed(request, {"code": "not_found"}, 404)
        return self._signed(request, self._answer(result), 200)

    async def _pdf(self, request: Request) -> Response:
        number = str(request.path_params["name"]).removesuffix(".pdf")
        entry = self.service.books.get(number)
        if entry is None or entry.result.status != FapiaoStatus.ISSUED:
            return JSONResponse({"code": "not_found"}, 404)
        return Response(_PDF, media_type="application/pdf")

    async def _control(self, request: Request) -> Response:
        refusal = refuse_remote(request)
        if refusal is not None:
            return refusal
        body = await read_body(request, BODY_BYTES_MAX)
        try:
            control = _Control.model_validate_json(body or b"")
        except ValidationError:
            return JSONResponse({"code": "invalid_request"}, 400)
        if control.number is None:
            self.service.issues_on_query = control.action == "issue_on_query"
        elif control.number not in self.service.books:
            return JSONResponse({"code": "not_found"}, 404)
        elif control.action == "issue":
            self.service.issue(control.number)
        else:
            self.service.fail(control.number, control.code)
        return JSONResponse({})

    async def _books(self, request: Request) -> Response:
        refusal = refuse_remote(request)
        if refusal is not None:
            return refusal
        return JSONResponse(
            {
                number: self._answer(entry.result)
                | {"title": entry.application.title, "red_of": entry.application.red_of}
                for number, entry in self.service.books.items()
            }
        )

    def _answer(self, result: FapiaoResult) -> dict[str, object]:
        return {
            "number": result.number,
            "status": result.status,
            "gross_minor": self.service.books[result.number].application.gross_minor,
            "fapiao_number": result.fapiao_number,
            "pdf_url": result.pdf_url,
            "issued_at": None if result.issued_at is None else result.issued_at.isoformat(),
            "failure_code": result.failure_code,
        }

    def _refuse(self, request: Request, body: bytes) -> Response | None:
        # Computed here from the document, so that the sender's own function is tested too.
        headers = request.headers
        timestamp, nonce = headers.get("sesame-timestamp", ""), headers.get("sesame-nonce", "")
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        digest = hashlib.sha256(body).hexdigest()
        parts = ("request", request.method, target, self._account, timestamp, nonce, digest)
        is_ours = headers.get("sesame-account", "") == self._account
        if not is_ours or not self._is_signed(headers.get("sesame-signature", ""), parts):
            return JSONResponse({"code": "signature_refused"}, 401)
        if not timestamp.isascii() or not timestamp.isdigit() or not self._is_fresh(timestamp):
            return self._signed(request, {"code": "timestamp_refused"}, 401)
        if nonce in self._nonces:
            return self._signed(request, {"code": "nonce_repeated"}, 401)
        self._nonces.append(nonce)
        return None

    def _is_fresh(self, timestamp: str) -> bool:
        age_s = abs(self._clock.now().timestamp() - int(timestamp[:12]))
        return age_s <= TIMESTAMP_WINDOW.total_seconds()

    def _is_signed(self, given: str, parts: tuple[str, ...]) -> bool:
        return hmac.compare_digest(given.encode(), self._sign(parts).encode())

    def _sign(self, parts: tuple[str, ...]) -> str:
        return f"v1={hmac.new(self._secret, chr(10).join(parts).encode(), 'sha256').hexdigest()}"

    def _signed(self, request: Request, content: dict[str, object], status: int) -> Response:
        body = orjson.dumps(content)
        timestamp = str(int(self._clock.now().timestamp()))
        digest = hashlib.sha256(body).hexdigest()
        nonce = request.headers.get("sesame-nonce", "")
        signature = self._sign(("answer", nonce, str(status), timestamp, digest))
        headers = {"sesame-timestamp": timestamp, "sesame-signature": signature}
        return Response(body, status, headers, media_type="application/json")


def _application(sent: ApplicationBody) -> FapiaoApplication:
    return FapiaoApplication(
        number=sent.number,
        seller_name=sent.seller.name,
        seller_tax_number=sent.seller.tax_number,
        title=sent.title.name,
        title_tax_number=sent.title.tax_number,
        email=sent.email,
        currency=sent.currency,
        lines=tuple(FapiaoLine(**line.model_dump()) for line in sent.lines),
        red_of=sent.red_of,
        reason=sent.reason,
    )


def create_fapiao_stand_in(
    account: str, secret: str, clock: Clock, *, public_url: str
) -> Starlette:
    """Return the application of a stand-in that issues each application once it is asked about."""
    return FapiaoStandIn(account, secret, clock, public_url=public_url).app
