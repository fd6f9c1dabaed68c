"""What a payer sees of WeChat: from a phone's browser, and over a page inside WeChat."""

import base64
import binascii
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parking.kit.money import Money
from sesame.sandbox.platform import Json, NotFoundError
from sesame.sandbox.platform.pages import back, page
from sesame.sandbox.wechat.account import Identities
from sesame.sandbox.wechat.merchants import Merchant

PHONE_PATH: Final = "/cgi-bin/mmpayweb-bin/checkmweb"
SHEET_PATH: Final = "/wechat/sheet"
PHONE_URL_LIFETIME_MS: Final = 5 * 60 * 1000
PREPAY_LIFETIME_S: Final = 2 * 60 * 60
PREPAY_PREFIX: Final = "wx"
JSAPI, H5, NATIVE = "JSAPI", "MWEB", "NATIVE"
_SIGNED = ("appId", "timeStamp", "nonceStr", "package")
_PREPAID = "prepay_id="


class PayingPages:
    """The two places in which an order is paid that is no code."""

    def __init__(self, merchant: Merchant, identities: Identities, *, page_host: str) -> None:
        self._merchant = merchant
        self._platform = merchant.platform
        self._identities = identities
        self._page_host = page_host

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route(PHONE_PATH, self._on_phone, methods=["GET", "POST"]),
            Route(SHEET_PATH, self._sheet, methods=["GET", "POST"]),
        ]

    async def _on_phone(self, request: Request) -> Response:
        asked = request.query_params
        row = self._order(asked.get("prepay_id", ""), H5)
        if row is None or row["extra"]["package"] != asked.get("package"):
            return page("Nothing here", "This link is not known.", status=404)
        is_late = self._platform.now_ms() >= row["extra"]["asked_ms"] + PHONE_URL_LIFETIME_MS
        if is_late:
            return page("Too late", "The payment request is over: begin again.", status=410)
        if "MicroMessenger" in request.headers.get("user-agent", ""):
            return page("Not here", "Open this page outside WeChat to pay.", status=403)
        return_url = asked.get("redirect_url")
        if request.method == "POST":
            self._pay(row)
            return page("Paid", "Go back.") if return_url is None else back(return_url)
        host = urlsplit(request.headers.get("referer", "")).hostname
        if host != self._page_host:
            text = "The page that leads here does not say where it is, or is not the merchant's."
            return page("Not from there", text, status=403)
        return _ask(row, self._platform.title)

    async def _sheet(self, request: Request) -> Response:
        """Play `getBrandWCPayRequest`: its parameters are the query."""
        row = self._handed_over(request)
        if row is None:
            return page("get_brand_wcpay_request:fail", "Not this payer's order.", status=403)
        if request.method == "POST":
            self._pay(row)
            return page("get_brand_wcpay_request:ok", "Close this window.")
        return _ask(row, self._platform.title)

    def _handed_over(self, request: Request) -> Json | None:
        asked = request.query_params
        prefix, _, prepay_id = asked.get("package", "").partition(_PREPAID)
        row = None if prefix else self._order(prepay_id, JSAPI)
        if row is None or row["extra"]["appid"] != asked.get("appId"):
            return None
        is_payer = self._identities.of(request) == row["extra"]["openid"]
        return row if is_payer and self._is_signed(asked) else None

    def _is_signed(self, asked: Mapping[str, str]) -> bool:
        text = "".join(f"{asked.get(name, '')}\n" for name in _SIGNED).encode()
        try:
            signature = base64.b64decode(asked.get("paySign", ""), validate=True)
            age_s = abs(self._platform.now_ms() / 1000 - int(asked.get("timeStamp", "")))
        except (binascii.Error, ValueError):
            return False
        is_timely = age_s <= PREPAY_LIFETIME_S
        return asked.get("signType") == "RSA" and is_timely and self._verifies(text, signature)

    def _verifies(self, text: bytes, signature: bytes) -> bool:
        for key in self._merchant.merchant_keys.values():
            try:
                key.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
            except InvalidSignature:
                continue
            return True
        return False

    def _order(self, prepay_id: str, trade_type: str) -> Json | None:
        orders = self._platform.orders
        orders.settle_due()
        if not prepay_id.startswith(PREPAY_PREFIX):
            return None
        try:
            row = orders.by_token(prepay_id.removeprefix(PREPAY_PREFIX))
        except NotFoundError:
            return None
        is_payable = row["status"] == "accepted" and row["extra"]["trade_type"] == trade_type
        return row if is_payable else None

    def _pay(self, row: Json) -> None:
        self._platform.orders.pay(row["token"])
        self._platform.poke()


def _ask(row: Json, by: str) -> Response:
    amount = Money(row["amount_minor"], row["currency"]).format()
    return page("Pay your parking", row["description"], button=f"Pay {amount}", by=by)
