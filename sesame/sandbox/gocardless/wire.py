"""What each call of GoCardless does to the books."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sesame.sandbox.gocardless.api import (
    CONFLICT,
    ApiRefusedError,
    Asked,
    Endpoint,
    GoCardless,
    answer,
)
from sesame.sandbox.gocardless.calls import (
    BillingRequestCall,
    EmptyCall,
    FlowCall,
    PaymentCall,
    RefundCall,
)
from sesame.sandbox.gocardless.days import cancel_mandate, is_refundable
from sesame.sandbox.gocardless.objects import (
    bank_account_json,
    billing_request_json,
    line_event_json,
    mandate_json,
    payment_json,
    refund_json,
)
from sesame.sandbox.platform import (
    ORDER,
    REFUND,
    Json,
    NewAgreement,
    NewOrder,
    NotFoundError,
    Operation,
    Outcome,
    Platform,
    Scenario,
    SettlementLine,
    Turn,
    instant,
    settlement_lines,
)

LIMIT_DEFAULT = 50
LIMIT_MAX = 500
REFUNDS_MAX = 5
_Row = TypeVar("_Row", Json, SettlementLine)
_FAILING = {Scenario.DECLINE, Scenario.ACCEPT_THEN_DECLINE}


def wire_routes(gocardless: GoCardless) -> list[Route]:
    """Return the routes of the API."""

    def route(path: str, **endpoints: Endpoint) -> Route:
        async def respond(request: Request) -> Response:
            return await answer(gocardless, request, endpoints[request.method.lower()])

        return Route(path, respond, methods=[method.upper() for method in endpoints])

    query, charge, refund = Operation.QUERY, Operation.CHARGE, Operation.REFUND
    asked, flow = Operation.AGREEMENT, "billing_request_flows"
    cancel = Operation.CANCEL
    return [
        route(
            "/billing_requests",
            post=Endpoint(asked, "billing_requests", BillingRequestCall, _ask, 201),
        ),
        route(
            "/billing_requests/{id}",
            get=Endpoint(query, "billing_requests", None, _billing_request),
        ),
        route(
            "/billing_requests/{id}/actions/cancel",
            post=Endpoint(cancel, "data", EmptyCall, _cancel_request),
        ),
        route("/billing_request_flows", post=Endpoint(query, flow, FlowCall, _flow, 201)),
        route("/mandates/{id}", get=Endpoint(query, "mandates", None, _mandate)),
        route(
            "/mandates/{id}/actions/cancel",
            post=Endpoint(cancel, "data", EmptyCall, _cancel_mandate),
        ),
        route(
            "/customer_bank_accounts/{id}",
            get=Endpoint(query, "customer_bank_accounts", None, _bank_account),
        ),
        route(
            "/payments",
            post=Endpoint(charge, "payments", PaymentCall, _pay, 201),
            get=Endpoint(query, "payments", None, _payments),
        ),
        route("/payments/{id}", get=Endpoint(query, "payments", None, _payment)),
        route(
            "/payments/{id}/actions/cancel",
            post=Endpoint(Operation.CLOSE, "data", EmptyCall, _cancel_payment),
        ),
        route(
            "/refunds",
            post=Endpoint(refund, "refunds", RefundCall, _give_back, 201),
            get=Endpoint(query, "refunds", None, _refunds),
        ),
        route("/refunds/{id}", get=Endpoint(query, "refunds", None, _refund)),
        route("/events", get=Endpoint(Operation.SETTLEMENT, "events", None, _events)),
    ]


def _ask(gocardless: GoCardless, asked: Asked) -> Json:
    agreements = gocardless.platform.agreements
    number = asked.key or secrets.token_hex(16)
    try:
        known = agreements.by_number(number)
    except NotFoundError:
        wish = asked.body["mandate_request"]
        agreement = NewAgreement(
            number=number,
            parameters=asked.body,
            description=wish["description"],
            return_url="",
            reference=f"BRQ{secrets.token_hex(8).upper()}",
            extra={"metadata": asked.body["metadata"], "mandate_metadata": wish["metadata"]},
        )
        row = agreements.start(agreement, asked.turn.manner)
        return {"billing_requests": billing_request_json(row)}
    raise ApiRefusedError(409, "invalid_state", CONFLICT, conflicting_id=known["reference"])


def _billing_request(gocardless: GoCardless, asked: Asked) -> Json:
    row = gocardless.platform.agreements.get(asked.request.path_params["id"])
    return {"billing_requests": billing_request_json(row)}


def _cancel_request(gocardless: GoCardless, asked: Asked) -> Json:
    row = gocardless.platform.agreements.get(asked.request.path_params["id"])
    if row["status"] != "pending":
        raise ApiRefusedError(422, "invalid_state", "cancellation_failed")
    row = gocardless.platform.agreements.cancel(row["reference"])
    return {"billing_requests": billing_request_json(row)}


def _flow(gocardless: GoCardless, asked: Asked) -> Json:
    platform = gocardless.platform
    row = platform.agreements.get(asked.body["links"]["billing_request"])
    if row["status"] != "pending":
        raise ApiRefusedError(422, "invalid_state", "billing_request_not_actionable")
    platform.store.run(
        "update agreement set return_url = ? where reference = ?",
        asked.body["redirect_uri"],
        row["reference"],
    )
    return {
        "billing_request_flows": {
            "id": f"BRF{secrets.token_hex(8).upper()}",
            "authorisation_url": f"{platform.public_url}/confirm/{row['token']}",
            "redirect_uri": asked.body["redirect_uri"],
            "exit_uri": asked.body["exit_uri"],
            "expires_at": instant(row["expires_ms"]),
            "links": {"billing_request": row["reference"]},
        }
    }


def _mandate(gocardless: GoCardless, asked: Asked) -> Json:
    return {"mandates": mandate_json(_of_mandate(gocardless.platform, asked))}


def _cancel_mandate(gocardless: GoCardless, asked: Asked) -> Json:
    row = _of_mandate(gocardless.platform, asked)
    if row["status"] != "active":
        raise ApiRefusedError(422, "invalid_state", "cancellation_failed")
    return {"mandates": mandate_json(cancel_mandate(gocardless.platform, row["reference"]))}


def _of_mandate(platform: Platform, asked: Asked) -> Json:
    return _agreement_of(platform, asked.request.path_params["id"])


def _agreement_of(platform: Platform, mandate: str) -> Json:
    found = platform.agreements.where("mandate", mandate)
    if not found:
        raise NotFoundError
    return found[0]


def _bank_account(_gocardless: GoCardless, asked: Asked) -> Json:
    return {"customer_bank_accounts": bank_account_json(asked.request.path_params["id"])}


def _pay(gocardless: GoCardless, asked: Asked) -> Json:
    platform, body = gocardless.platform, asked.body
    number = asked.key or secrets.token_hex(16)
    with platform.store.transaction():
        _refuse_repetition(platform, ORDER, number)
        agreement = _agreement_of(platform, body["links"]["mandate"])
        if agreement["status"] != "active":
            raise ApiRefusedError(422, "invalid_state", "mandate_is_inactive")
        order = NewOrder(
            number=number,
            amount_minor=body["amount"],
            currency=body["currency"],
            parameters=body,
            description=body["description"],
            parent=agreement["reference"],
            reference=f"PM{secrets.token_hex(8).upper()}",
            extra={"metadata": body["metadata"], "mandate": body["links"]["mandate"]},
        )
        row = platform.orders.charge(order, _debit(asked.turn))
    return {"payments": payment_json(platform, row)}


def _debit(turn: Turn) -> Outcome:
    extra: Json = {"stage": "pending_submission"}
    if turn.scenario in _FAILING:
        code = turn.rule.failure_code if turn.rule else None
        extra["fails_with"] = code or "insufficient_funds"
    return Outcome(status="accepted", manner=turn.manner, extra=extra)


def _payment(gocardless: GoCardless, asked: Asked) -> Json:
    row = gocardless.platform.orders.by_reference(ORDER, asked.request.path_params["id"])
    return {"payments": payment_json(gocardless.platform, row)}


def _payments(gocardless: GoCardless, asked: Asked) -> Json:
    platform, terms = gocardless.platform, asked.request.query_params
    mandate = terms.get("mandate")
    since_ms = _instant_ms(terms.get("created_at[gte]"))
    rows = [
        row
        for row in platform.store.all("select * from orders where space = 'order' order by rowid")
        if mandate in {None, row["extra"].get("mandate")} and row["created_ms"] >= since_ms
    ]
    return _page(asked, "payments", rows, lambda row: payment_json(platform, row))


def _cancel_payment(gocardless: GoCardless, asked: Asked) -> Json:
    platform = gocardless.platform
    row = platform.orders.by_reference(ORDER, asked.request.path_params["id"])
    if row["status"] != "accepted" or row["extra"]["stage"] != "pending_submission":
        raise ApiRefusedError(422, "invalid_state", "cancellation_failed")
    row = platform.orders.settle(ORDER, row["number"], "failed", failure_code="cancelled")
    return {"payments": payment_json(platform, row)}


def _give_back(gocardless: GoCardless, asked: Asked) -> Json:
    platform, body = gocardless.platform, asked.body
    number = asked.key or secrets.token_hex(16)
    with platform.store.transaction():
        _refuse_repetition(platform, REFUND, number)
        payment = platform.orders.by_reference(ORDER, body["links"]["payment"])
        _check_refund(platform, payment, body)
        order = NewOrder(
            number=number,
            amount_minor=body["amount"],
            currency=payment["currency"],
            parameters=body,
            parent=payment["number"],
            reference=f"RF{secrets.token_hex(8).upper()}",
            extra={
                "metadata": body["metadata"],
                "mandate": payment["extra"]["mandate"],
                "payment": payment["reference"],
            },
        )
        outcome = _debit(asked.turn)
        return {"refunds": refund_json(platform.orders.refund(order, outcome))}


def _check_refund(platform: Platform, payment: Json, body: Json) -> None:
    if not is_refundable(payment):
        raise ApiRefusedError(422, "invalid_state", "refund_payment_invalid_state")
    before = [
        row
        for row in platform.orders.children(REFUND, payment["number"])
        if row["status"] != "failed"
    ]
    if len(before) >= REFUNDS_MAX:
        raise ApiRefusedError(422, "invalid_state", "number_of_refunds_exceeded")
    total = sum(row["amount_minor"] for row in before) + body["amount"]
    if total != body["total_amount_confirmation"]:
        raise ApiRefusedError(422, "invalid_state", "total_amount_confirmation_invalid")
    if total > payment["amount_minor"]:
        raise ApiRefusedError(422, "validation_failed", "amount_exceeds_payment")


def _refund(gocardless: GoCardless, asked: Asked) -> Json:
    row = gocardless.platform.orders.by_reference(REFUND, asked.request.path_params["id"])
    return {"refunds": refund_json(row)}


def _refunds(gocardless: GoCardless, asked: Asked) -> Json:
    platform = gocardless.platform
    payment = platform.orders.by_reference(ORDER, asked.request.query_params.get("payment", ""))
    rows = platform.orders.children(REFUND, payment["number"])
    return _page(asked, "refunds", rows, refund_json)


def _events(gocardless: GoCardless, asked: Asked) -> Json:
    platform, terms = gocardless.platform, asked.request.query_params
    topic = terms.get("resource_type", "payments")
    payment, action = terms.get("payment"), terms.get("action")
    is_first = topic == "payments" and not {"after", "payment"} & terms.keys()
    start_ms = _instant_ms(terms.get("created_at[gte]"))
    end_ms = _instant_ms(terms.get("created_at[lt]")) or platform.now_ms()
    lines = settlement_lines(
        platform.store,
        start_ms,
        end_ms,
        differences=platform.script.take_differences() if is_first else frozenset(),
    )
    lines = [_of_payment(platform, line) for line in lines]
    lines += _failures(platform, start_ms, end_ms)
    told = [
        line
        for line in lines
        if (line.kind == "refund") == (topic == "refunds")
        and payment in {None, line.reference}
        and action in {None, line_event_json(line)[0]["action"]}
    ]
    page = _page(asked, "events", told, lambda line: line_event_json(line)[0])
    about = {line.reference: line_event_json(line)[1] for line in told}
    return {**page, "linked": {topic: list(about.values())}}


def _of_payment(platform: Platform, line: SettlementLine) -> SettlementLine:
    """Name a chargeback by its payment, and a late failure a failure, as GoCardless does."""
    if not line.kind.startswith("chargeback"):
        return line
    reference = platform.orders.get(ORDER, line.number)["reference"]
    reason = platform.chargebacks.get(line.number)["reason"]
    return replace(line, reference=reference, extra={**line.extra, "reason": reason})


def _failures(platform: Platform, start_ms: int, end_ms: int) -> list[SettlementLine]:
    """Return the payments that failed, which moved nothing: events tell of them all the same."""
    rows = platform.store.all(
        "select number, reference, amount_minor, currency, settled_ms as occurred_ms, parent, extra"
        " from orders where space = 'order' and status = 'failed' and reference is not null"
        " and failure_code <> 'cancelled' and settled_ms >= ? and settled_ms < ?",
        start_ms,
        end_ms,
    )
    return [SettlementLine(kind="failed", **row) for row in rows]


def _refuse_repetition(platform: Platform, space: str, key: str) -> None:
    try:
        known = platform.orders.get(space, key)
    except NotFoundError:
        return
    raise ApiRefusedError(409, "invalid_state", CONFLICT, conflicting_id=known["reference"])


def _page(asked: Asked, name: str, rows: list[_Row], show: Callable[[_Row], Json]) -> Json:
    terms = asked.request.query_params
    start = int(terms.get("after") or 0)
    limit = min(int(terms.get("limit") or LIMIT_DEFAULT), LIMIT_MAX)
    after = str(start + limit) if start + limit < len(rows) else None
    return {
        name: [show(row) for row in rows[start : start + limit]],
        "meta": {"limit": limit, "cursors": {"before": None, "after": after}},
    }


def _instant_ms(text: str | None) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000) if text else 0
