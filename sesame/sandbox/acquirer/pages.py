"""The two pages that a payer sees; plain forms, so that a script can use them too."""

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from parking.kit.money import Money
from sesame.sandbox.acquirer.books import Books, NotFoundError
from sesame.sandbox.acquirer.notices import Courier

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
<p><small>A stand-in for a payment platform. No real money moves.</small></p>
</html>
"""


def page_routes(books: Books, courier: Courier) -> list[Route]:
    """Return the routes of the confirmation page and the payment page."""

    async def confirm(request: Request) -> Response:
        try:
            row = books.agreement_by_token(request.path_params["token"])
        except NotFoundError:
            return _page("Nothing here", "This link is not known.", status=404)
        if row["status"] != "pending":
            return _page("Nothing to confirm", f"This agreement is {row['status']}.", status=409)
        if request.method == "POST":
            books.confirm_agreement(request.path_params["token"])
            courier.poke()
            return _back(row["return_url"])
        text = f"{row['description']}. The merchant may charge you without asking each time."
        return _page("Pay without a password?", text, button="Confirm")

    async def pay(request: Request) -> Response:
        books.settle_due()
        try:
            row = books.checkout_by_token(request.path_params["token"])
        except NotFoundError:
            return _page("Nothing here", "This link is not known.", status=404)
        if row["status"] != "accepted":
            outcome = "paid" if row["status"] == "succeeded" else row["failure_code"]
            return _page("Nothing to pay", f"This bill is {outcome}.", status=409)
        if request.method == "POST":
            books.pay_checkout(request.path_params["token"])
            courier.poke()
            return _back(row["return_url"])
        amount = Money(row["amount_minor"], row["currency"]).format()
        return _page("Pay your parking", row["description"], button=f"Pay {amount}")

    return [
        Route("/confirm/{token}", confirm, methods=["GET", "POST"]),
        Route("/pay/{token}", pay, methods=["GET", "POST"]),
    ]


def _page(title: str, text: str, *, button: str | None = None, status: int = 200) -> Response:
    form = f'<form method="post"><button>{escape(button)}</button></form>' if button else ""
    content = _PAGE.format(title=escape(title), text=escape(text), form=form)
    return HTMLResponse(content, status_code=status, headers=_HEADERS)


def _back(return_url: str) -> Response:
    return RedirectResponse(return_url, status_code=303, headers=_HEADERS)
