"""The calls about orders that are paid by hand, and about money back."""

import secrets
from dataclasses import replace
from datetime import datetime

from starlette.requests import Request
from starlette.routing import Route

from sesame.sandbox.platform import (
    ORDER,
    REFUND,
    Json,
    NewOrder,
    NumberConflictError,
    Operation,
    Outcome,
    Turn,
    unpaid_checkout,
)
from sesame.sandbox.wechat.account import Identities
from sesame.sandbox.wechat.calls import CloseCall, JsapiCall, PageCall, PhoneCall, RefundCall
from sesame.sandbox.wechat.errors import ApiError
from sesame.sandbox.wechat.gate import Endpoint, Gate, find_order, number_used
from sesame.sandbox.wechat.merchants import Merchant
from sesame.sandbox.wechat.objects import REFUSED_REFUNDS, page_json, refund_json
from sesame.sandbox.wechat.paying import H5, JSAPI, NATIVE, PHONE_PATH, PREPAY_PREFIX

PAGE_LIFETIME_MS_MIN = 60 * 1000


class PageCalls:
    """Pages; their addresses differ for a merchant and for a service provider."""

    def __init__(self, merchant: Merchant, identities: Identities) -> None:
        self._merchant = merchant
        self._platform = merchant.platform
        self._identities = identities

    def routes(self, gate: Gate) -> list[Route]:
        """Return the routes."""
        is_direct = self._merchant.sub_merchant is None
        pages = f"/v3/pay/{'' if is_direct else 'partner/'}transactions"
        order = f"{pages}/out-trade-no/{{number}}"
        return [
            gate.route(f"{pages}/native", post=Endpoint(Operation.CHECKOUT, PageCall, self._code)),
            gate.route(
                f"{pages}/jsapi", post=Endpoint(Operation.CHECKOUT, JsapiCall, self._in_wechat)
            ),
            gate.route(f"{pages}/h5", post=Endpoint(Operation.CHECKOUT, PhoneCall, self._on_phone)),
            gate.route(order, get=Endpoint(Operation.QUERY, None, self._page_state)),
            gate.route(f"{order}/close", post=Endpoint(Operation.CLOSE, CloseCall, self._close)),
        ]

    def _code(self, _request: Request, asked: Json, turn: Turn) -> Json:
        row = self._order_of(asked, turn, NATIVE)
        # WeChat's is weixin://…, which only WeChat opens; this one any browser does.
        return {"code_url": f"{self._platform.public_url}/pay/{row['token']}"}

    def _in_wechat(self, _request: Request, asked: Json, turn: Turn) -> Json:
        is_direct = self._merchant.sub_merchant is None
        openid = asked["payer"]["openid" if is_direct else "sp_openid"]
        account = self._merchant.account
        if account is None or (asked["appid"] or asked["sp_appid"]) != account.app:
            raise ApiError(403, "NO_AUTH", "the appid is no official account of the merchant")
        if openid is None or not self._identities.is_known(openid):
            raise ApiError(400, "PARAM_ERROR", "payer: the openid is not of this appid")
        row = self._order_of(asked, turn, JSAPI, openid=openid)
        return {"prepay_id": f"{PREPAY_PREFIX}{row['token']}"}

    def _on_phone(self, _request: Request, asked: Json, turn: Turn) -> Json:
        row = self._order_of(asked, turn, H5)
        renewed: Json = {"asked_ms": self._platform.now_ms(), "package": secrets.token_hex(5)}
        self._platform.orders.note(ORDER, row["number"], renewed)
        query = f"prepay_id={PREPAY_PREFIX}{row['token']}&package={renewed['package']}"
        return {"h5_url": f"{self._platform.public_url}{PHONE_PATH}?{query}"}

    def _order_of(self, asked: Json, turn: Turn, trade_type: str, *, openid: str = "payer") -> Json:
        self._require_payee(asked)
        self._merchant.require_app(asked["appid"] or asked["sp_appid"])
        extra: Json = {
            "appid": asked["appid"] or asked["sp_appid"],
            "trade_type": trade_type,
            "openid": openid,
            "notice_url": asked["notify_url"],
        }
        order = NewOrder(
            number=asked["out_trade_no"],
            amount_minor=asked["amount"]["total"],
            currency=asked["amount"]["currency"],
            parameters={**asked, "trade_type": trade_type},
            description=asked["description"],
            return_url="/",
            reference=f"42{secrets.randbelow(10**26):026d}",
            extra=extra,
        )
        try:
            row = self._platform.orders.checkout(order, self._outcome(asked, turn))
        except NumberConflictError as error:
            raise number_used() from error
        if row["status"] != "accepted":
            is_paid = row["status"] == "succeeded"
            raise ApiError(400, "ORDERPAID" if is_paid else "ORDER_CLOSED", "the order is over")
        return row

    def _outcome(self, asked: Json, turn: Turn) -> Outcome:
        outcome = unpaid_checkout(turn.manner)
        if asked["time_expire"] is None:
            return outcome
        ends_at = datetime.fromisoformat(asked["time_expire"])
        # What is over is closed at once, which WeChat leaves to the merchant.
        lasts_ms = int((ends_at - self._platform.clock.now()).total_seconds() * 1000)
        return replace(outcome, due_after_ms=max(lasts_ms, PAGE_LIFETIME_MS_MIN))

    def _page_state(self, request: Request, _asked: Json, _turn: Turn) -> Json:
        self._require_payee(dict(request.query_params))
        return page_json(self._order(request), self._merchant.page_names())

    def _close(self, request: Request, asked: Json, _turn: Turn) -> None:
        self._require_payee(asked)
        row = self._order(request)
        if row["status"] == "succeeded":
            raise ApiError(400, "ORDERPAID", "the order was paid")
        self._platform.orders.close(row["number"])

    def _require_payee(self, asked: Json) -> None:
        named = asked.get("mchid") or asked.get("sp_mchid")
        if named != self._merchant.merchant:
            raise ApiError(403, "NO_AUTH", "the mchid is not the caller's")
        self._merchant.require_sub_merchant(asked.get("sub_mchid"))

    def _order(self, request: Request) -> Json:
        return find_order(self._platform, request.path_params["number"], "checkout")


class RefundCalls:
    """Money back from charges and pages alike."""

    def __init__(self, merchant: Merchant) -> None:
        self._merchant = merchant
        self._platform = merchant.platform

    def routes(self, gate: Gate) -> list[Route]:
        """Return the routes."""
        path = "/v3/refund/domestic/refunds"
        return [
            gate.route(path, post=Endpoint(Operation.REFUND, RefundCall, self._refund)),
            gate.route(
                f"{path}/{{number}}", get=Endpoint(Operation.QUERY, None, self._refund_state)
            ),
        ]

    def _refund(self, _request: Request, asked: Json, turn: Turn) -> Json:
        self._merchant.require_sub_merchant(asked["sub_mchid"])
        amount = asked["amount"]
        charge = self._platform.orders.get(ORDER, asked["out_trade_no"])
        extra: Json = {
            "charge_reference": charge["reference"],
            "notice_url": asked["notify_url"],
        }
        order = NewOrder(
            number=asked["out_refund_no"],
            amount_minor=amount["refund"],
            currency=amount["currency"],
            parameters=asked,
            description=asked["reason"],
            parent=asked["out_trade_no"],
            reference=f"50{secrets.randbelow(10**26):026d}",
            extra=extra,
        )
        if amount["total"] != charge["amount_minor"]:
            raise ApiError(400, "INVALID_REQUEST", "amount.total is not the order's")
        try:
            row = self._platform.orders.refund(order, turn.outcome)
        except NumberConflictError as error:
            raise ApiError(400, "INVALID_REQUEST", "the parameters differ") from error
        if row["failure_code"] in REFUSED_REFUNDS:
            raise ApiError(*REFUSED_REFUNDS[row["failure_code"]], row["failure_code"])
        return refund_json(row, charge)

    def _refund_state(self, request: Request, _asked: Json, _turn: Turn) -> Json:
        self._merchant.require_sub_merchant(request.query_params.get("sub_mchid"))
        row = self._platform.orders.get(REFUND, request.path_params["number"])
        if row["failure_code"] in REFUSED_REFUNDS:
            raise ApiError(404, "RESOURCE_NOT_EXISTS", "no such refund")
        return refund_json(row, self._platform.orders.get(ORDER, row["parent"]))
