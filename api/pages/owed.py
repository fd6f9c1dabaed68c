"""What the car on a bill's page owes elsewhere, payable there: at partners, and here before."""

from collections.abc import Sequence
from html import escape
from typing import Final
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from api.body import REFUSED_HEADERS, BodyRefusedError, read_body
from api.pages import pay
from api.pages.visitor import visitor_of
from parking.flows.context import ParkingContext
from parking.flows.payments import checkout, owed_view
from parking.flows.payments.owed_view import OwedView
from parking.kit.crypto import Vault
from parking.kit.errors import UnavailableError
from parking.payments.errors import (
    BillUnknownError,
    NothingDueError,
    PartnershipUnknownError,
    PaymentInProgressError,
    PaymentUnavailableError,
)

PATH: Final = "/pay/{token}/owed/{key}"
_SHOWN_MAX: Final = 20
_HEADERS: Final = {"content-security-policy": pay.CONTENT_SECURITY_POLICY}


class OwedPayEndpoint:
    """Anyone who holds the address may pay what the car owes, while it is here."""

    def __init__(self, context: ParkingContext) -> None:
        self._context = context

    async def answer(self, request: Request) -> Response:
        """Go on to the payment of one amount."""
        token, key = request.path_params["token"], request.path_params["key"]
        back = RedirectResponse(f"/pay/{token}", 303)
        try:
            # Whatever comes must have ended before money moves.
            await read_body(request)
            visitor = visitor_of(request)
            url = await owed_view.pay_for_car(self._context, token, key, visitor)
            if checkout.opens(url):
                return RedirectResponse(url, 303, {"referrer-policy": pay.REFERRER_POLICY})
            address = f"{self._context.public_url}/pay/{token}"
            html = pay.render_code(url, address, is_phone=visitor.is_phone)
            return HTMLResponse(html, 200, _HEADERS)
        except BodyRefusedError as error:
            return PlainTextResponse(str(error), error.status, REFUSED_HEADERS)
        except BillUnknownError:
            return HTMLResponse(pay.render_unknown(), 404, _HEADERS)
        except (
            NothingDueError,
            PartnershipUnknownError,
            PaymentInProgressError,
            PaymentUnavailableError,
            UnavailableError,
        ):
            # The page says how it stands, and offers the button again where it still counts.
            return back


def render_owed(vault: Vault, token: str, owed: Sequence[OwedView]) -> str:
    """Return the part of a bill's page about what the car owes besides; empty for nothing."""
    if not owed:
        return ""
    rows = "".join(_row(vault, token, view) for view in owed[:_SHOWN_MAX])
    return f"<h2>Also owed</h2><table>{rows}</table>\n"


def _row(vault: Vault, token: str, view: OwedView) -> str:
    place = "" if view.place is None else view.place.name
    zone = ZoneInfo("UTC" if view.place is None else view.place.timezone)
    amount = escape(view.amount.format())
    key = owed_view.owed_key(vault, token, view.bill_id)
    button = (
        '<span class="note">being paid</span>'
        if view.is_being_paid
        else f'<form method="post" action="/pay/{escape(token)}/owed/{key}">'
        f"<button>Pay {amount}</button></form>"
    )
    since = f"{view.owed_at.astimezone(zone):%Y-%m-%d}"
    words = f'{escape(place)}<br><span class="note">{since}</span>'
    return f"<tr><td>{words}</td><td>{amount}<br>{button}</td></tr>"
