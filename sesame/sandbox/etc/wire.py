"""The calls of part 3 of docs/etc-wire.md."""

from datetime import date, datetime, timedelta

from starlette.requests import Request
from starlette.routing import Route

from sesame.sandbox.etc.calls import ContractCall, CorrectionCall, DeductionCall
from sesame.sandbox.etc.objects import contract_json, money_json, settlement_csv
from sesame.sandbox.etc.roadside import ZONE, Roadside
from sesame.sandbox.platform import (
    ORDER,
    Json,
    NotFoundError,
    Operation,
    Outcome,
    Platform,
    Turn,
    settlement_lines,
)
from sesame.sandbox.signed_wire import (
    EmptyCall,
    Endpoint,
    SignedWire,
    SignedWork,
    WireError,
    new_order,
    signed_route,
)

FEE_BASIS_POINTS = 30


def wire_routes(wire: SignedWire, roadside: Roadside) -> list[Route]:
    """Return the routes of part 3."""
    work = EtcWork(wire.platform, roadside)
    query, cancel = Operation.QUERY, Operation.CANCEL
    endpoints = {
        "/v1/contracts": {"post": Endpoint(Operation.AGREEMENT, ContractCall, work.start)},
        "/v1/contracts/{reference}": {"get": Endpoint(query, None, work.agreement)},
        "/v1/contracts/{reference}/cancel": {"post": Endpoint(cancel, EmptyCall, work.cancel)},
        "/v1/deductions": {"post": Endpoint(Operation.CHARGE, DeductionCall, work.deduct)},
        "/v1/deductions/{number}": {"get": Endpoint(query, None, work.order)},
        "/v1/deductions/{number}/close": {"post": Endpoint(Operation.CLOSE, EmptyCall, work.close)},
        "/v1/corrections": {"post": Endpoint(Operation.REFUND, CorrectionCall, work.correct)},
        "/v1/corrections/{number}": {"get": Endpoint(query, None, work.refund_state)},
        "/v1/status-list": {"get": Endpoint(query, None, work.status_list)},
        "/v1/settlements/{day}": {"get": Endpoint(Operation.SETTLEMENT, None, work.settlement)},
    }
    return [signed_route(wire, path, **methods) for path, methods in endpoints.items()]


class EtcWork(SignedWork):
    """What only this wire has."""

    def __init__(self, platform: Platform, roadside: Roadside) -> None:
        super().__init__(platform, contract_json, money_json)
        self._roadside = roadside

    def deduct(self, _request: Request, asked: Json, turn: Turn) -> Json:
        """Take money from the card in a unit, if an antenna sees it."""
        outcome = turn.outcome
        with self.platform.store.transaction():
            refusal = None if self._find(asked["number"]) else self._roadside.refusal(asked)
            if refusal:
                outcome = Outcome(status="failed", failure_code=refusal)
            order = new_order(asked, parent=asked["contract"], extra={"obu": asked["obu"]})
            return money_json(self.platform.orders.charge(order, outcome))

    def correct(self, _request: Request, asked: Json, turn: Turn) -> Json:
        """Give money back to the card."""
        deduction = self._find(asked["deduction"])
        extra = deduction["extra"] if deduction else None
        order = new_order(asked, parent=asked["deduction"], extra=extra)
        return money_json(self.platform.orders.refund(order, turn.outcome))

    def status_list(self, _request: Request, _asked: Json, _turn: Turn) -> Json:
        """Return the units whose cards are not to be charged."""
        return {"units": self._roadside.status_list()}

    def settlement(self, request: Request, _asked: Json, _turn: Turn) -> bytes:
        """Return the file of a closed day."""
        platform = self.platform
        try:
            day = date.fromisoformat(request.path_params["day"])
        except ValueError as error:
            raise WireError(400, "invalid_request", "expected a day", "day") from error
        start = datetime(day.year, day.month, day.day, tzinfo=ZONE)
        end = start + timedelta(days=1)
        now = platform.clock.now()
        if end > now and not (platform.is_day_closed and start <= now):
            raise WireError(409, "day_open", "the day's books are not closed")
        lines = settlement_lines(
            platform.store,
            int(start.timestamp() * 1000),
            int(end.timestamp() * 1000),
            differences=platform.script.take_differences(),
            fee_basis_points=FEE_BASIS_POINTS,
        )
        return settlement_csv(lines)

    def _find(self, number: str) -> Json | None:
        try:
            return self.platform.orders.get(ORDER, number)
        except NotFoundError:
            return None
