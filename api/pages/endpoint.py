"""`/pay/{token}`: shows a bill, and sends whoever pays it to the payment provider."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from api.body import REFUSED_HEADERS, BodyRefusedError, read_body
from api.pages import pay
from parking.flows.context import ParkingContext
from parking.flows.payments import checkout
from parking.flows.proof import receipt_links
from parking.kit.errors import ParkingError, UnavailableError
from parking.payments.errors import (
    BillUnknownError,
    NothingDueError,
    PaymentInProgressError,
    PaymentUnavailableError,
)

_HEADERS = {"content-security-policy": pay.CONTENT_SECURITY_POLICY}


class PayEndpoint:
    """Anyone who holds the address may see the bill and pay it."""

    def __init__(self, context: ParkingContext) -> None:
        self._context = context

    async def answer(self, request: Request) -> Response:
        """Show the bill (GET), or go on to the payment (POST)."""
        token: str = request.path_params["token"]
        try:
            if request.method == "POST":
                # The form has no fields; whatever comes must have ended before money moves.
                await read_body(request)
                return await self._pay(token)
            return await self._show(token)
        except BodyRefusedError as error:
            return PlainTextResponse(str(error), error.status, REFUSED_HEADERS)
        except BillUnknownError:
            return HTMLResponse(pay.render_unknown(), 404, _HEADERS)

    async def _pay(self, token: str) -> Response:
        try:
            return RedirectResponse(await checkout.start(self._context, token), 303)
        except (NothingDueError, PaymentInProgressError):
            # The page says how it stands.
            return RedirectResponse(f"/pay/{token}", 303)
        except (PaymentUnavailableError, UnavailableError) as error:
            return await self._show(token, failed=error)

    async def _show(self, token: str, *, failed: ParkingError | None = None) -> Response:
        page = await checkout.bill_of(self._context, token)
        notice = None if failed is None else "The payment page does not answer. Please try again."
        receipts = await receipt_links.count_receipts(self._context, token) if page.paid else 0
        address = f"{self._context.public_url}/pay/{token}"
        html = pay.render(page, address=address, notice=notice, receipts=receipts)
        return HTMLResponse(html, 200 if failed is None else 503, _HEADERS)
