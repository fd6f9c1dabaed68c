"""The calls of part 3 of docs/acquirer-wire.md."""

from datetime import date

from starlette.requests import Request
from starlette.routing import Route

from sesame.sandbox.acquirer.calls import ChargeCall, CheckoutCall, RefundCall
from sesame.sandbox.acquirer.settlement import SettlementFiles
from sesame.sandbox.platform import (
    PAGE_LIFETIME_MS,
    Json,
    Operation,
    Platform,
    Turn,
    agreement_json,
    instant,
    order_json,
    unpaid_checkout,
)
from sesame.sandbox.signed_wire import (
    AgreementCall,
    EmptyCall,
    Endpoint,
    SignedWire,
    SignedWork,
    WireError,
    new_order,
    signed_route,
)


def wire_routes(wire: SignedWire) -> list[Route]:
    """Return the routes of part 3."""
    work = AcquirerWork(wire.platform)
    query, cancel = Operation.QUERY, Operation.CANCEL
    endpoints = {
        "/v1/agreements": {"post": Endpoint(Operation.AGREEMENT, AgreementCall, work.start)},
        "/v1/agreements/{reference}": {"get": Endpoint(query, None, work.agreement)},
        "/v1/agreements/{reference}/cancel": {"post": Endpoint(cancel, EmptyCall, work.cancel)},
        "/v1/charges": {"post": Endpoint(Operation.CHARGE, ChargeCall, work.charge)},
        "/v1/charges/{number}": {"get": Endpoint(query, None, work.order)},
        "/v1/charges/{number}/close": {"post": Endpoint(Operation.CLOSE, EmptyCall, work.close)},
        "/v1/checkouts": {"post": Endpoint(Operation.CHECKOUT, CheckoutCall, work.checkout)},
        "/v1/refunds": {"post": Endpoint(Operation.REFUND, RefundCall, work.refund)},
        "/v1/refunds/{number}": {"get": Endpoint(query, None, work.refund_state)},
        "/v1/settlements/{day}": {"get": Endpoint(Operation.SETTLEMENT, None, work.settlement)},
    }
    return [signed_route(wire, path, **methods) for path, methods in endpoints.items()]


class AcquirerWork(SignedWork):
    """What only this wire has."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform, agreement_json, order_json)
        self._settlements = SettlementFiles()

    def charge(self, _request: Request, asked: Json, turn: Turn) -> Json:
        """Take money under an agreement."""
        order = new_order(asked, parent=asked["agreement"])
        return order_json(self.platform.orders.charge(order, turn.outcome))

    def checkout(self, _request: Request, asked: Json, turn: Turn) -> Json:
        """Open a payment page."""
        row = self.platform.orders.checkout(new_order(asked), unpaid_checkout(turn.manner))
        return {
            **order_json(row),
            "url": f"{self.platform.public_url}/pay/{row['token']}",
            "expires_at": instant(row["created_ms"] + PAGE_LIFETIME_MS),
        }

    def refund(self, _request: Request, asked: Json, turn: Turn) -> Json:
        """Give money back."""
        order = new_order(asked, parent=asked["charge"])
        return order_json(self.platform.orders.refund(order, turn.outcome))

    def settlement(self, request: Request, _asked: Json, _turn: Turn) -> Json:
        """Return a page of a closed day."""
        try:
            day = date.fromisoformat(request.path_params["day"])
            after = int(request.query_params.get("after", "0"))
        except ValueError as error:
            message = "expected a day such as 2026-11-22, and `after` as an answer gave it"
            raise WireError(400, "invalid_request", message) from error
        return self._settlements.page(self.platform, day, after)
