"""gateway.do: verify the call as it came, carry it out, sign the answer, or play a mishap."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sesame.sandbox.alipay import agreements, settlement, trades
from sesame.sandbox.alipay.gateway import Gateway, RefusedError, object_of
from sesame.sandbox.alipay.signing import CallRefusedError, check_call, read_parameters
from sesame.sandbox.alipay.values import milliseconds_of
from sesame.sandbox.loopback import read_body, refuse_remote
from sesame.sandbox.platform import (
    BrokenConnection,
    Json,
    NumberConflictError,
    Operation,
    Platform,
    Scenario,
    Turn,
    unpaid_checkout,
)
from sesame.sandbox.platform.pages import back, page

BODY_BYTES_MAX = 64 * 1024
SUCCESS = {"code": "10000", "msg": "Success"}

Work = Callable[[Gateway, Json, Turn, str], Json]


@dataclass(frozen=True, slots=True)
class _Method:
    operation: Operation
    work: Work


def _refuse_method(_gateway: Gateway, _asked: Json, _turn: Turn, _notify_url: str) -> Json:
    raise RefusedError("isv.invalid-method", "40002")


_UNKNOWN_METHOD = _Method(Operation.QUERY, _refuse_method)
_BILL_URL = "alipay.data.dataservice.bill.downloadurl.query"
_SIGN_PAGE = "alipay.user.agreement.page.sign"
_PAY_PAGE = "alipay.trade.wap.pay"
_METHODS = {
    "alipay.trade.pay": _Method(Operation.CHARGE, trades.pay),
    "alipay.trade.query": _Method(Operation.QUERY, trades.query),
    "alipay.trade.cancel": _Method(Operation.CLOSE, trades.cancel),
    "alipay.trade.close": _Method(Operation.CLOSE, trades.close),
    "alipay.trade.refund": _Method(Operation.REFUND, trades.refund),
    "alipay.trade.fastpay.refund.query": _Method(Operation.QUERY, trades.refund_query),
    "alipay.user.agreement.query": _Method(Operation.QUERY, agreements.query),
    "alipay.user.agreement.unsign": _Method(Operation.CANCEL, agreements.unsign),
    "alipay.eco.mycar.parking.enterinfo.sync": _Method(Operation.ENTRY, agreements.entered),
    "alipay.eco.mycar.parking.exitinfo.sync": _Method(Operation.ENTRY, agreements.left),
    _BILL_URL: _Method(Operation.SETTLEMENT, settlement.bill_url),
}


def wire_routes(gateway: Gateway) -> list[Route]:
    """Return the gateway, the pages behind it, the bills, and what the parking service heard."""

    async def call(request: Request) -> Response:
        body = await read_body(request, BODY_BYTES_MAX)
        if body is None:
            return _unsigned("isv.invalid-content-length")
        try:
            parameters = _authenticated(gateway, request.scope["query_string"], body)
        except CallRefusedError as error:
            return _unsigned(error.sub_code)
        return await _answer(gateway, request, parameters)

    async def open_page(request: Request) -> Response:
        try:
            parameters = _authenticated(gateway, request.scope["query_string"], b"")
            return _page(gateway, parameters)
        except (CallRefusedError, RefusedError) as error:
            return page("Not accepted", error.sub_code, status=400)
        except NumberConflictError:
            return page("Not accepted", "ACQ.CONTEXT_INCONSISTENT", status=409)

    async def bill(request: Request) -> Response:
        content = gateway.bills.get(request.path_params["token"])
        if content is None:
            return Response(status_code=404)
        return Response(content, media_type="application/zip")

    async def told(request: Request) -> Response:
        return refuse_remote(request) or JSONResponse({"told": list(gateway.told)})

    return [
        Route("/gateway.do", call, methods=["POST"]),
        Route("/gateway.do", open_page, methods=["GET"]),
        Route("/bills/{token}", bill, methods=["GET"]),
        Route("/_parking", told, methods=["GET"]),
    ]


async def _answer(gateway: Gateway, request: Request, parameters: dict[str, str]) -> Response:
    method_name = parameters["method"]
    method = _METHODS.get(method_name, _UNKNOWN_METHOD)
    node_name, turn = method_name.replace(".", "_") + "_response", Turn()
    try:
        asked = object_of(parameters.get("biz_content"), is_text=True)
        turn = gateway.platform.turn(method.operation, _agreement(gateway.platform, asked))
        if turn.is_lost_before:
            return BrokenConnection()
        done = method.work(gateway, asked, turn, parameters.get("notify_url", ""))
        if method_name == _BILL_URL:
            token = done["bill_download_url"]
            done = {"bill_download_url": f"{request.base_url}bills/{token}"}
        node = {**SUCCESS, **{name: value for name, value in done.items() if value is not None}}
        gateway.platform.poke()
    except RefusedError as error:
        node = {"code": error.code, "msg": "Business Failed", "sub_code": error.sub_code}
    is_spoiled = turn.scenario is Scenario.BAD_ANSWER_SIGNATURE
    content = gateway.key.answer(node_name, node, is_spoiled=is_spoiled)
    return await turn.finish(Response(content, media_type="text/html;charset=utf-8"))


def _authenticated(gateway: Gateway, query: bytes, body: bytes) -> dict[str, str]:
    parameters = read_parameters(query, body)
    if parameters.get("app_id") != gateway.app_id:
        raise CallRefusedError("isv.invalid-app-id")
    wanted = {"sign_type": "RSA2", "charset": "utf-8", "version": "1.0"}
    if any(parameters.get(name) != value for name, value in wanted.items()):
        raise CallRefusedError("isv.invalid-arguments")
    check_call(parameters, gateway.app_key)
    try:
        milliseconds_of(parameters.get("timestamp", ""))
    except ValueError as error:
        raise CallRefusedError("isv.invalid-timestamp") from error
    if not parameters.get("method"):
        raise CallRefusedError("isv.missing-method")
    return parameters


def _agreement(platform: Platform, asked: Json) -> str | None:
    """Return our name of the agreement that a charge names, for rules about one agreement."""
    if "agreement_params" not in asked:
        return None
    number = object_of(asked["agreement_params"]).get("agreement_no", "")
    rows = platform.agreements.where("agreement_no", str(number))
    return rows[0]["reference"] if rows else None


def _page(gateway: Gateway, parameters: dict[str, str]) -> Response:
    platform = gateway.platform
    asked = object_of(parameters.get("biz_content"), is_text=True)
    notify_url, return_url = parameters.get("notify_url", ""), parameters.get("return_url", "")
    if parameters["method"] == _SIGN_PAGE:
        turn = platform.turn(Operation.AGREEMENT)
        row = platform.agreements.start(
            agreements.new_agreement(asked, notify_url, return_url), turn.manner
        )
        return back(f"{platform.public_url}/confirm/{row['token']}")
    if parameters["method"] != _PAY_PAGE:
        raise RefusedError("isv.invalid-method")
    turn = platform.turn(Operation.CHECKOUT)
    order = trades.checkout_order(gateway, asked, notify_url, return_url)
    known = trades.find(gateway, order.number)
    is_late = platform.now_ms() >= milliseconds_of(str(asked.get("time_expire", "")))
    if is_late or (known is not None and known["token"] is None):
        return page("Nothing to pay", "This bill is closed.", status=409)
    row = platform.orders.checkout(order, unpaid_checkout(turn.manner))
    return back(f"{platform.public_url}/pay/{row['token']}")


def _unsigned(sub_code: str) -> Response:
    """Refuse a call that is nobody's; what is not signed proves nothing to the caller."""
    return JSONResponse({"error_response": {"code": "40002", "sub_code": sub_code}})
