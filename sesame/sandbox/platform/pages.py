"""The two pages that a payer sees; plain forms, so that a script can use them too."""

from collections.abc import Callable
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from parking.kit.money import Money
from sesame.sandbox.platform.errors import NotFoundError
from sesame.sandbox.platform.parts import Platform
from sesame.sandbox.platform.store import Json

Confirmed = Callable[[Json], Json]

DEFAULT_TITLE = "a payment platform"

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Referrer-Policy": "no-referrer",
}
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 26rem; margin: 3rem auto }}
button {{ font: inherit; padding: .6rem 1.4rem }}
small {{ color: #555 }}
</style>
<h1>{title}</h1>
<p>{text}</p>
{form}
<p><small>A stand-in for {by}. No real money moves.</small></p>
</html>
"""


def page_routes(platform: Platform, confirmed: Confirmed | None = None) -> list[Route]:
    """Return the routes of the confirmation page and the payment page."""
    agreements, orders = platform.agreements, platform.orders

    async def confirm(request: Request) -> Response:
        token = request.path_params["token"]
        try:
            row = agreements.by_token(token)
        except NotFoundError:
            return page("Nothing here", "This link is not known.", status=404)
        if row["status"] != "pending":
            return page("Nothing to confirm", f"This agreement is {row['status']}.", status=409)
        if request.method == "POST":
            agreements.confirm(token, extra=confirmed(row) if confirmed else None)
            platform.poke()
            return back(row["return_url"])
        text = f"{row['description']}. The merchant may charge you without asking each time."
        return page("Pay without a password?", text, button="Confirm", by=platform.title)

    async def pay(request: Request) -> Response:
        token = request.path_params["token"]
        orders.settle_due()
        try:
            row = orders.by_token(token)
        except NotFoundError:
            return page("Nothing here", "This link is not known.", status=404)
        if row["status"] != "accepted":
            outcome = "paid" if row["status"] == "succeeded" else row["failure_code"]
            return page("Nothing to pay", f"This bill is {outcome}.", status=409)
        if request.method == "POST":
            orders.pay(token)
            platform.poke()
            return back(row["return_url"])
        amount = Money(row["amount_minor"], row["currency"]).format()
        return page(
            "Pay your parking", row["description"], button=f"Pay {amount}", by=platform.title
        )

    return [
        Route("/confirm/{token}", confirm, methods=["GET", "POST"]),
        Route("/pay/{token}", pay, methods=["GET", "POST"]),
    ]


def page(
    title: str,
    text: str,
    *,
    button: str | None = None,
    status: int = 200,
    by: str = DEFAULT_TITLE,
) -> Response:
    """Return a page with at most one button."""
    form = f'<form method="post"><button>{escape(button)}</button></form>' if button else ""
    content = _PAGE.format(title=escape(title), text=escape(text), form=form, by=escape(by))
    return HTMLResponse(content, status_code=status, headers=_HEADERS)


def back(return_url: str) -> Response:
    """Send the payer's browser back to the merchant."""
    return RedirectResponse(return_url, status_code=303, headers=_HEADERS)
