"""The calls about plates, cars that have entered, and their charges."""

import json
import secrets
from dataclasses import replace
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.routing import Route

from sesame.sandbox.platform import (
    ORDER,
    Json,
    NewOrder,
    NotFoundError,
    NumberConflictError,
    Operation,
    Scenario,
    Turn,
)
from sesame.sandbox.wechat.calls import ChargeCall, ParkingCall
from sesame.sandbox.wechat.errors import ApiError
from sesame.sandbox.wechat.gate import Endpoint, Gate, find_order, number_used
from sesame.sandbox.wechat.merchants import Merchant
from sesame.sandbox.wechat.objects import ZONE, charge_json
from sesame.sandbox.wechat.parkings import Parkings, Services

# WeChat Pay refuses a stay that ends later than now; clocks may differ by so much.
_END_SLACK = timedelta(seconds=2)


class ParkingCalls:
    """Parking without a password."""

    def __init__(self, merchant: Merchant, services: Services) -> None:
        self._merchant = merchant
        self._platform = merchant.platform
        self._services = services
        self._parkings = Parkings(merchant.platform)

    def routes(self, gate: Gate) -> list[Route]:
        """Return the routes."""
        parking, charges = "/v3/vehicle/parking", "/v3/vehicle/transactions"
        find = Endpoint(Operation.QUERY, None, self._service)
        enter = Endpoint(Operation.ENTRY, ParkingCall, self._enter)
        charge = Endpoint(Operation.CHARGE, ChargeCall, self._charge)
        query = Endpoint(Operation.QUERY, None, self._charge_state)
        return [
            gate.route(f"{parking}/services/find", get=find),
            gate.route(f"{parking}/parkings", post=enter),
            gate.route(f"{charges}/parking", post=charge),
            gate.route(f"{charges}/out-trade-no/{{number}}", get=query),
        ]

    def _service(self, request: Request, _asked: Json, _turn: Turn) -> Json:
        asked = request.query_params
        self._merchant.require_sub_merchant(asked.get("sub_mchid"))
        needed = ("appid", "openid", "plate_number", "plate_color")
        if not all(asked.get(name) for name in needed):
            raise ApiError(400, "PARAM_ERROR", f"expected {', '.join(needed)}")
        row = self._services.find(asked["openid"], asked["plate_number"])
        shown: Json = {
            "plate_number": asked["plate_number"],
            "plate_color": asked["plate_color"],
            "openid": asked["openid"],
            "service_state": self._services.state(row),
        }
        if row is not None and row["status"] == "active":
            opened = datetime.fromtimestamp(row["signed_ms"] / 1000, ZONE)
            shown["service_open_time"] = opened.isoformat(timespec="seconds")
        return shown

    def _enter(self, _request: Request, asked: Json, turn: Turn) -> Json:
        self._merchant.require_sub_merchant(asked["sub_mchid"])
        try:
            row = self._parkings.enter(asked)
        except NumberConflictError as error:
            raise ApiError(400, "INVALID_REQUEST", "out_parking_no is another's") from error
        names = ("out_parking_no", "plate_number", "plate_color", "start_time", "parking_name")
        shown: Json = {"id": row["id"], **{name: asked[name] for name in names}}
        state = self._services.state(self._services.of_plate(asked["plate_number"]))
        reason = None if state == "NORMAL" else state
        if turn.scenario is Scenario.DECLINE and turn.rule is not None:
            reason = (turn.rule.failure_code or "OVERDUE").upper()
        shown |= {"free_duration": asked["free_duration"], "state": "NORMAL"}
        return shown if reason is None else {**shown, "state": "BLOCKED", "block_reason": reason}

    def _charge(self, _request: Request, asked: Json, turn: Turn) -> Json:
        self._merchant.require_sub_merchant(asked["sub_mchid"])
        self._merchant.require_app(asked["appid"])
        order = self._new_charge(asked)
        outcome = turn.outcome
        if turn.rule is not None and outcome.failure_code not in {None, "declined"}:
            raise ApiError(403, (outcome.failure_code or "").upper(), "the charge was refused")
        if outcome.guaranteed:
            outcome = replace(outcome, extra={"advance": "outstanding"})
        try:
            row = self._platform.orders.charge(order, outcome)
        except NumberConflictError as error:
            known = self._platform.orders.get(ORDER, order.number)
            if known["kind"] == "checkout":
                raise number_used() from error
            raise ApiError(400, "INVALID_REQUEST", "the parameters differ") from error
        self._parkings.charged(asked["parking_info"]["parking_id"])
        return charge_json(row, self._merchant.parking_names())

    def _new_charge(self, asked: Json) -> NewOrder:
        info = asked["parking_info"]
        parking = self._parking(info)
        service = self._services.of_plate(info["plate_number"])
        if not self._is_known(asked["out_trade_no"]):
            if parking["is_charged"]:
                raise ApiError(400, "INVALID_REQUEST", "the parking was charged already")
            if not self._parkings.is_newest(parking) or self._services.state(service) != "NORMAL":
                raise ApiError(400, "INVALID_REQUEST", "the parking_id is not valid any more")
        openid = None if service is None else service["extra"]["openid"]
        # A resent charge may name a later end of the stay; everything else must be the same.
        same = {**info, "end_time": None, "charging_duration": None}
        extra: Json = {
            "appid": asked["appid"],
            "parking_info": info,
            "openid": openid or "nobody",
            "notice_url": asked["notify_url"],
        }
        return NewOrder(
            number=asked["out_trade_no"],
            amount_minor=asked["amount"]["total"],
            currency=asked["amount"]["currency"],
            parameters={**asked, "parking_info": same},
            description=asked["description"],
            parent=None if service is None else service["reference"],
            reference=f"42{secrets.randbelow(10**26):026d}",
            extra=extra,
        )

    def _parking(self, info: Json) -> Json:
        try:
            parking = self._parkings.get(info["parking_id"])
        except NotFoundError as error:
            raise ApiError(400, "INVALID_REQUEST", "no such parking_id") from error
        entered = json.loads(parking["parameters"])
        names = ("plate_number", "plate_color", "start_time", "parking_name")
        if any(entered[name] != info[name] for name in names):
            raise ApiError(400, "INVALID_REQUEST", "parking_info is not that of the entry")
        end = datetime.fromisoformat(info["end_time"])
        latest = self._platform.clock.now() + _END_SLACK
        if not datetime.fromisoformat(info["start_time"]) < end <= latest:
            raise ApiError(400, "PARAM_ERROR", "end_time: expected after start_time, in the past")
        return parking

    def _is_known(self, number: str) -> bool:
        try:
            self._platform.orders.get(ORDER, number)
        except NotFoundError:
            return False
        return True

    def _charge_state(self, request: Request, _asked: Json, _turn: Turn) -> Json:
        self._merchant.require_sub_merchant(request.query_params.get("sub_mchid"))
        return charge_json(
            find_order(self._platform, request.path_params["number"], "charge"),
            self._merchant.parking_names(),
        )
