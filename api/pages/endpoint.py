"""`/pay/{token}`: shows a bill, and sends whoever pays it to the payment provider."""

from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from api.body import REFUSED_HEADERS, BodyRefusedError, read_body
from api.pages import pay
from api.pages.owed import render_owed
from parking.flows.context import ParkingContext
from parking.flows.payments import checkout, owed_view
from parking.flows.proof import receipt_links
from parking.kit.errors import InvalidInputError, ParkingError, UnavailableError
from parking.payments.errors import (
    BillUnknownError,
    NothingDueError,
    PaymentInProgressError,
    PaymentUnavailableError,
)

_HEADERS = {"content-security-policy": pay.CONTENT_SECURITY_POLICY, "vary": "User-Agent"}
_FIELDS_MAX = 8
# How the browsers inside the apps of providers name themselves.
_SCANNERS = {"MicroMessenger": "wechat", "AlipayClient": "alipay"}


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
                return await self._pay(token, _method(await read_body(request)), request)
            return await self._show(token, request)
        except BodyRefusedError as error:
            return PlainTextResponse(str(error), error.status, REFUSED_HEADERS)
        except BillUnknownError:
            return HTMLResponse(pay.render_unknown(), 404, _HEADERS)

    async def _pay(self, token: str, method: str | None, request: Request) -> Response:
        try:
            return self._go_on(token, await checkout.start(self._context, token, method))
        except (NothingDueError, PaymentInProgressError, InvalidInputError):
            # The page says how it stands.
            return RedirectResponse(f"/pay/{token}", 303)
        except (PaymentUnavailableError, UnavailableError) as error:
            return await self._show(token, request, failed=error)

    def _go_on(self, token: str, url: str) -> Response:
        if url.startswith(("https://", "http://")):
            return RedirectResponse(url, 303)
        # No browser opens it: it is what an app reads from a code.
        address = f"{self._context.public_url}/pay/{token}"
        return HTMLResponse(pay.render_code(url, address), 200, _HEADERS)

    async def _show(
        self, token: str, request: Request, *, failed: ParkingError | None = None
    ) -> Response:
        page = await checkout.bill_of(self._context, token)
        notice = None if failed is None else "The payment page does not answer. Please try again."
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
        return HTMLResponse(html, 200 if failed is None else 503, _HEADERS)


def scanner_of(user_agent: str) -> str | None:
    """Return the provider whose app opened the page, by what its browser calls itself."""
    return next((name for mark, name in _SCANNERS.items() if mark in user_agent), None)


def _method(body: bytes) -> str | None:
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=_FIELDS_MAX)
    except ValueError:
        return None
    return fields.get("provider", [None])[0]
