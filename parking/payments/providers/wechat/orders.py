"""How charges and pages end: what WeChat Pay said, and what may be concluded from it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog

from parking.kit.money import Money
from parking.payments.port import (
    ANSWER_MISMATCH,
    CLOSED,
    NUMBER_CONFLICT,
    ChargeOrder,
    ChargeResult,
    OrderStatus,
    SentOrder,
)
from parking.payments.providers.wechat import requests
from parking.payments.providers.wechat.answers import Nothing, OrderAnswer
from parking.payments.providers.wechat.settings import WechatSettings
from parking.payments.providers.wechat.signature import WINDOW_S
from parking.payments.providers.wechat.transport import Failure, SignedClient

# After this, WeChat Pay refuses what we signed as too old. Twice, because our clocks may differ.
LATE_DELIVERY_MAX: Final = timedelta(seconds=2 * WINDOW_S)
HTTP_NOT_FOUND: Final = 404
_CHARGES = "/v3/vehicle/transactions"
_NOT_FOUND = {"order_not_exist", "resource_not_exists", "not_found"}
# The charge was understood and cannot be: no order came of it.
_DECLINES = {
    "rule_limit",
    "overdue",
    "not_enough",
    "account_error",
    "user_account_abnormal",
    "trade_error",
    "param_error",
    "no_auth",
    "appid_mchid_not_match",
    "mch_not_exists",
}
_NUMBER_USED = "out_trade_no_used"
# Said of a charge whose parking is not the plate's newest, or was charged already.
INVALID_REQUEST: Final = "invalid_request"

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Orders:
    """Asks for orders, and closes them."""

    def __init__(self, settings: WechatSettings, client: SignedClient) -> None:
        self._settings = settings
        self._client = client
        partner = "" if settings.sub_merchant is None else "partner/"
        self.pages = f"/v3/pay/{partner}transactions"

    async def charge(self, order: ChargeOrder, body: Mapping[str, object]) -> ChargeResult:
        """Return what came of a charge whose car has entered."""
        path = f"{_CHARGES}/parking"
        answer = await self._client.call(OrderAnswer, "POST", path, body=body)
        if isinstance(answer, Failure):
            return await self.refused(order, answer)
        return self._result(order.number, order.amount, answer)

    async def query(self, number: str, amount: Money, *, is_page: bool) -> ChargeResult:
        """Return where an order stands."""
        path = f"{self.pages if is_page else _CHARGES}/out-trade-no/{number}"
        of = requests.payee(self._settings) if is_page else requests.on_behalf(self._settings)
        answer = await self._client.call(OrderAnswer, "GET", path, query=of)
        return self._result(number, amount, answer)

    async def refused(self, order: ChargeOrder, failure: Failure) -> ChargeResult:
        """Return what a failed call leaves of its charge: a decline fails it, little else does."""
        if failure.code in _DECLINES:
            return await self.declined(order, failure.code)
        if failure.code == _NUMBER_USED:
            return _unknown(order.number, NUMBER_CONFLICT)
        if failure.code == INVALID_REQUEST:
            # Perhaps an earlier delivery has charged the parking.
            return await self._known_before(order) or _unknown(order.number, failure.code)
        return _unknown(order.number, failure.code)

    async def declined(self, order: ChargeOrder, failure_code: str) -> ChargeResult:
        """Return the failure, unless an earlier delivery of the number has made an order."""
        return await self._known_before(order) or ChargeResult(
            number=order.number, status=OrderStatus.FAILED, failure_code=failure_code
        )

    async def close_page(self, order: SentOrder) -> ChargeResult:
        """Close a page; what it took before, it keeps."""
        path = f"{self.pages}/out-trade-no/{order.number}/close"
        body = requests.payee(self._settings)
        answer = await self._client.call(Nothing, "POST", path, body=body)
        # Nobody can pay an order that WeChat does not know: its code was never shown.
        if isinstance(answer, Nothing) or _says_not_found(answer):
            return _closed(order.number)
        return await self.query(order.number, order.amount, is_page=True)

    async def close_charge(self, order: SentOrder, now: datetime) -> ChargeResult:
        """Return where a charge stands: WeChat Pay cannot close one.

        What it has never seen is closed once a late delivery of it would be refused as too old.
        """
        result = await self.query(order.number, order.amount, is_page=False)
        is_late = now >= order.sent_at + LATE_DELIVERY_MAX
        if result.status is OrderStatus.NOT_FOUND and is_late:
            return _closed(order.number)
        return result

    async def _known_before(self, order: ChargeOrder) -> ChargeResult | None:
        known = await self.query(order.number, order.amount, is_page=False)
        if known.status is OrderStatus.NOT_FOUND:
            return None
        if known.failure_code == ANSWER_MISMATCH:
            return _unknown(order.number, NUMBER_CONFLICT)
        return known

    def _result(self, number: str, amount: Money, answer: OrderAnswer | Failure) -> ChargeResult:
        if isinstance(answer, Failure):
            status, code = verdict(answer)
            return ChargeResult(number=number, status=status, failure_code=code)
        owner = (self._settings.merchant, self._settings.sub_merchant)
        if answer.belongs_to(*owner) and answer.agrees(number, amount):
            return answer.result(is_guaranteed=self._settings.is_advance_funded)
        # A signed answer about something else is a defect of the platform or an attack.
        said = (answer.out_trade_no, answer.trade_state, answer.money)
        _log.error("wechat_answer_mismatch", kind="order", asked=number, said=repr(said))
        return _unknown(number, ANSWER_MISMATCH)


def verdict(failure: Failure) -> tuple[OrderStatus, str | None]:
    """Return what a failed query says of an order: that there is none, or nothing at all."""
    if _says_not_found(failure):
        return OrderStatus.NOT_FOUND, None
    return OrderStatus.UNKNOWN, failure.code


def _says_not_found(failure: Failure) -> bool:
    return failure.status_code == HTTP_NOT_FOUND and failure.code in _NOT_FOUND


def _unknown(number: str, failure_code: str) -> ChargeResult:
    return ChargeResult(number=number, status=OrderStatus.UNKNOWN, failure_code=failure_code)


def _closed(number: str) -> ChargeResult:
    return ChargeResult(number=number, status=OrderStatus.FAILED, failure_code=CLOSED)
