"""`/pay/{token}`: shows a bill, and sends whoever pays it to the payment provider."""

from dataclasses import replace
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from api.body import REFUSED_HEADERS, BodyRefusedError, read_body
from api.pages import pay
from api.pages.bridge import BRIDGE_POLICY, START_FRAGMENT
from api.pages.owed import render_owed
from api.pages.visitor import scanner_of, visitor_of
from parking.flows.context import ParkingContext
from parking.flows.payments import checkout, owed_view
from parking.flows.payments.payer_question import (
    QUESTION_LIFETIME,
    PayerAnswer,
    ask_payer,
    payer_of,
)
from parking.flows.payments.visitor import Visitor
from parking.flows.proof import receipt_links
from parking.kit.errors import InvalidInputError, UnavailableError
from parking.payments.errors import (
    BillUnknownError,
    NothingDueError,
    PayerUnknownError,
    PaymentInProgressError,
    PaymentUnavailableError,
)

_HEADERS = {
    "content-security-policy": pay.CONTENT_SECURITY_POLICY,
    "referrer-policy": pay.REFERRER_POLICY,
    "vary": "User-Agent",
}
_FIELDS_MAX = 8
_COOKIE = "sesame_payer"
_NO_ANSWER = "The payment page does not answer. Please try again."
_IN_PROGRESS = (
    "The payment that was begun before cannot be taken back yet. Please finish it, or choose "
    "another way in a few minutes."
)


async def home(_request: Request) -> Response:
    """Answer at our own address: whoever confirmed something at a provider comes back here."""
    return HTMLResponse(pay.render_home(), headers=_HEADERS)


class PayEndpoint:
    """Anyone who holds the address may see the bill and pay it."""

    def __init__(self, context: ParkingContext) -> None:
        self._context = context

    async def answer(self, request: Request) -> Response:
        """Show the bill (GET), or go on to the payment (POST)."""
        token: str = request.path_params["token"]
        try:
            if request.method == "POST":
                # Whatever comes must have ended before money moves.
                method = _method(await read_body(request))
                return await self._pay(token, method, request, visitor_of(request))
            if "state" in request.query_params:
                return await self._come_back(token, request)
            return await self._show(token, request)
        except BodyRefusedError as error:
            return PlainTextResponse(str(error), error.status, REFUSED_HEADERS)
        except BillUnknownError:
            return HTMLResponse(pay.render_unknown(), 404, _HEADERS)

    async def _pay(
        self, token: str, method: str | None, request: Request, visitor: Visitor
    ) -> Response:
        try:
            url = await checkout.start(self._context, token, method, visitor)
            return self._go_on(token, url, visitor)
        except PayerUnknownError as error:
            return self._ask(token, error.provider)
        except (NothingDueError, InvalidInputError):
            # The page says how it stands.
            return _redirect(f"/pay/{token}")
        except PaymentInProgressError:
            return await self._show(token, request, notice=_IN_PROGRESS, status=409)
        except (PaymentUnavailableError, UnavailableError):
            return await self._show(token, request, notice=_NO_ANSWER, status=503)

    def _ask(self, token: str, provider: str) -> Response:
        question = ask_payer(self._context, token, provider)
        answer = _redirect(question.url)
        answer.set_cookie(
            _COOKIE,
            question.secret,
            max_age=int(QUESTION_LIFETIME.total_seconds()),
            path=f"/pay/{token}",
            secure=self._context.public_url.startswith("https:"),
            httponly=True,
            # The payer comes back from another site, by a link.
            samesite="lax",
        )
        return answer

    async def _come_back(self, token: str, request: Request) -> Response:
        asked = request.query_params
        said = PayerAnswer(
            request.cookies.get(_COOKIE, ""), asked.get("state", ""), asked.get("code", "")
        )
        try:
            provider, payer_id = await payer_of(self._context, token, said)
        except PayerUnknownError:
            answer = _redirect(f"/pay/{token}")
        except UnavailableError:
            answer = await self._show(token, request, notice=_NO_ANSWER, status=503)
        else:
            visitor = replace(visitor_of(request), app=provider, payer_id=payer_id)
            answer = await self._pay(token, provider, request, visitor)
        # One question, one answer.
        answer.delete_cookie(_COOKIE, path=f"/pay/{token}", httponly=True, samesite="lax")
        return answer

    def _go_on(self, token: str, url: str, visitor: Visitor) -> Response:
        address = f"{self._context.public_url}/pay/{token}"
        if url == address:
            # The page itself hands over to the app that shows it.
            return _redirect(f"/pay/{token}#{START_FRAGMENT}")
        if checkout.opens(url):
            return _redirect(url)
        is_here = visitor.is_phone or visitor.app is not None
        return HTMLResponse(pay.render_code(url, address, is_phone=is_here), 200, _HEADERS)

    async def _show(
        self, token: str, request: Request, *, notice: str | None = None, status: int = 200
    ) -> Response:
        page = await checkout.bill_of(self._context, token)
        receipts = await receipt_links.count_receipts(self._context, token) if page.paid else 0
        address = f"{self._context.public_url}/pay/{token}"
        scanned_with = scanner_of(request.headers.get("user-agent", ""))
        owed = await owed_view.of_car(self._context, token)
        html = pay.render(
            page,
            address=address,
            notice=notice,
            receipts=receipts,
            scanned_with=scanned_with,
            owed=render_owed(self._context.vault, token, owed),
        )
        headers = _HEADERS
        if pay.hands_over(page, scanned_with):
            policy = f"{pay.CONTENT_SECURITY_POLICY}; {BRIDGE_POLICY}"
            headers = {**_HEADERS, "content-security-policy": policy}
        return HTMLResponse(html, status, headers)


def _redirect(url: str) -> Response:
    return RedirectResponse(url, 303, {"referrer-policy": pay.REFERRER_POLICY})


def _method(body: bytes) -> str | None:
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=_FIELDS_MAX)
    except ValueError:
        return None
    return fields.get("provider", [None])[0]
