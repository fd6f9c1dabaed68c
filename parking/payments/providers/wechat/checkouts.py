"""Orders that are paid by hand: by a code, from a phone's browser, or inside WeChat."""

import secrets
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

import structlog

from parking.kit.clock import Clock
from parking.kit.errors import InvalidInputError
from parking.payments.port import (
    NUMBER_CONFLICT,
    Checkout,
    CheckoutOrder,
    PayerDevice,
    ProviderRefusedError,
    ProviderUnavailableError,
)
from parking.payments.providers.wechat import requests
from parking.payments.providers.wechat.answers import CodeAnswer, PhonePageAnswer, PrepayAnswer
from parking.payments.providers.wechat.settings import WechatSettings
from parking.payments.providers.wechat.signature import handover_text
from parking.payments.providers.wechat.transport import Failure, SignedClient

# How long WeChat Pay keeps an `h5_url`, less the way there.
PHONE_URL_LIFETIME: Final = timedelta(minutes=4, seconds=30)
# Refused for what the call says, not for when it came: the same call can only be refused again.
REFUSALS: Final = {400, 403, 404}
_NUMBER_USED = "out_trade_no_used"
_NONCE_BYTES = 16

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Checkouts:
    """Makes the order that a payer's device can pay."""

    def __init__(
        self, settings: WechatSettings, client: SignedClient, clock: Clock, *, path: str
    ) -> None:
        self._settings = settings
        self._client = client
        self._clock = clock
        self._path = path

    async def start(self, order: CheckoutOrder) -> Checkout:
        """Return the page; see `PaymentProvider.start_checkout`."""
        if order.device is PayerDevice.APP:
            return await self._in_wechat(order)
        if order.device is PayerDevice.PHONE:
            return await self._on_phone(order)
        expires_at = self._expires_at(order)
        body = requests.page(self._settings, order)
        answer = await self._client.call(CodeAnswer, "POST", f"{self._path}/native", body=body)
        if isinstance(answer, Failure):
            raise _refusal(answer, "native")
        return Checkout(url=answer.code_url, expires_at=expires_at)

    async def _on_phone(self, order: CheckoutOrder) -> Checkout:
        if order.payer_address is None:
            raise InvalidInputError("payer_address", "the IP address of the phone")
        now, expires_at = self._clock.now(), self._expires_at(order)
        body = requests.phone_page(self._settings, order, order.payer_address)
        answer = await self._client.call(PhonePageAnswer, "POST", f"{self._path}/h5", body=body)
        if isinstance(answer, Failure):
            raise _refusal(answer, "h5")
        sign = "&" if "?" in answer.h5_url else "?"
        back = quote(order.return_url, safe="")
        return Checkout(
            url=f"{answer.h5_url}{sign}redirect_url={back}",
            expires_at=expires_at,
            url_until=now + PHONE_URL_LIFETIME,
        )

    async def _in_wechat(self, order: CheckoutOrder) -> Checkout:
        account = self._settings.account
        if account is None or order.payer_id is None:
            raise InvalidInputError("payer_id", "an openid of the official account that is set up")
        expires_at = self._expires_at(order)
        body = requests.wechat_page(self._settings, order, app=account.app, openid=order.payer_id)
        answer = await self._client.call(PrepayAnswer, "POST", f"{self._path}/jsapi", body=body)
        if isinstance(answer, Failure):
            raise _refusal(answer, "jsapi")
        handover = self._handover(account.app, answer.prepay_id)
        return Checkout(url=order.return_url, expires_at=expires_at, handover=handover)

    def _handover(self, app: str, prepay_id: str) -> dict[str, str]:
        timestamp = str(int(self._clock.now().timestamp()))
        nonce, package = secrets.token_hex(_NONCE_BYTES), f"prepay_id={prepay_id}"
        return {
            "appId": app,
            "timeStamp": timestamp,
            "nonceStr": nonce,
            "package": package,
            "signType": "RSA",
            "paySign": self._client.sign(handover_text(app, timestamp, nonce, package)),
        }

    def _expires_at(self, order: CheckoutOrder) -> datetime:
        return (order.sent_at or self._clock.now()) + requests.PAGE_LIFETIME


def _refusal(answer: Failure, kind: str) -> ProviderRefusedError | ProviderUnavailableError:
    if answer.code == _NUMBER_USED:
        return ProviderRefusedError(NUMBER_CONFLICT)
    if answer.status_code in REFUSALS:
        # Mostly a product that the merchant does not have, or a setting of it.
        _log.error("wechat_page_refused", kind=kind, code=answer.code)
        return ProviderRefusedError(answer.code)
    return ProviderUnavailableError(answer.code)
