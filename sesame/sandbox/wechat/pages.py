"""WeChat's own page, on which a payer opens parking without a password for a plate."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sesame.sandbox.platform import Platform
from sesame.sandbox.platform.pages import page
from sesame.sandbox.wechat.parkings import Services

SERVICE_PATH = "/pages/auth-creditpay/auth-creditpay"
_NEEDED = ("mchid", "openid", "plate_number", "plate_color")


def page_routes(
    platform: Platform, services: Services, *, merchant: str, sub_merchant: str | None
) -> list[Route]:
    """Return the route of the page; the documentation gives its path and parameters."""

    def is_ours(asked: Mapping[str, str]) -> bool:
        named = (asked.get("mchid"), asked.get("sub_mchid"))
        return all(asked.get(name) for name in _NEEDED) and named == (merchant, sub_merchant)

    async def open_service(request: Request) -> Response:
        asked = request.query_params
        if not is_ours(asked):
            return page("Nothing here", "The merchant is not known, or no plate.", status=404)
        plate = asked["plate_number"]
        row = services.begin(asked["openid"], plate, asked["plate_color"])
        if row["status"] == "active":
            text = f"{plate} is charged without asking. Close it in WeChat, under payment services."
            return page("The service is open", text)
        if request.method == "POST":
            platform.agreements.confirm(row["token"])
            platform.poke()
            return RedirectResponse(str(request.url), status_code=303)
        text = f"{plate} may be charged without asking each time."
        return page("Open parking without a password?", text, button="Open", by=platform.title)

    return [Route(SERVICE_PATH, open_service, methods=["GET", "POST"])]
