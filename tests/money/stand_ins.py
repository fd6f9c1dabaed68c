"""Opens each provider's stand-in and adapter; one more provider is one more function here."""

import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from starlette.applications import Starlette

from parking.kit.clock import Clock
from parking.payments.port import PaymentProvider
from parking.payments.providers.acquirer import AcquirerProvider
from parking.payments.providers.alipay import AlipayProvider, AlipaySettings
from parking.payments.providers.etc import EtcProvider
from parking.payments.providers.stripe import StripeProvider, StripeSettings
from parking.payments.providers.wechat import WechatProvider, WechatSettings
from parking.payments.signed_wire import SignedWireSettings
from sesame.sandbox.acquirer import Options as AcquirerOptions
from sesame.sandbox.acquirer import create_stand_in as create_acquirer
from sesame.sandbox.acquirer.signing import new_private_pem, public_pem
from sesame.sandbox.alipay import Options as AlipayOptions
from sesame.sandbox.alipay import create_stand_in as create_alipay
from sesame.sandbox.etc import EtcOptions, create_etc_stand_in
from sesame.sandbox.etc.signing import etc_public_pem, new_etc_private_pem
from sesame.sandbox.stripe import StripeOptions, create_stripe_stand_in
from sesame.sandbox.wechat import Options as WechatOptions
from sesame.sandbox.wechat import create_stand_in as create_wechat
from sesame.sandbox.wechat import new_api_key
from tests.contract.http_server import listener, url_of
from tests.money.loop_server import served

MERCHANT: Final = "parkside"
WECHAT_MERCHANT: Final = "1900007291"
WECHAT_APP: Final = "wxcbda96de0b165486"
WECHAT_SERIAL: Final = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
ALIPAY_APP: Final = "2021000000000001"
ALIPAY_SELLER: Final = "2088000000000001"
STRIPE_KEY: Final = "sk_test_parkside"
STRIPE_SECRET: Final = "whsec_parkside"


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Where a house is built.

    Attributes:
        folder: For its books.
        notice_url: Where its notices go.
    """

    folder: Path
    notice_url: str
    clock: Clock


Opened = tuple[PaymentProvider, str]
"""The adapter, and where the stand-in is reached."""

Opener = Callable[[Neighbourhood], AbstractAsyncContextManager[Opened]]


@cache
def merchant_key() -> bytes:
    """Return one key for the whole run: making one takes longer than a story's step."""
    return new_private_pem()


@cache
def etc_key() -> bytes:
    """Return the same for the ETC wire, which signs with Ed25519."""
    return new_etc_private_pem()


@asynccontextmanager
async def acquirer(where: Neighbourhood) -> AsyncGenerator[Opened]:
    """Open the acquirer."""
    listening = listener()
    url = url_of(listening)
    stand_in = create_acquirer(
        AcquirerOptions(
            data=where.folder / "acquirer.sqlite",
            merchant=MERCHANT,
            merchant_keys_pem=(public_pem(merchant_key()).encode(),),
            public_url=url,
            notice_url=where.notice_url,
        ),
        where.clock,
    )
    settings = SignedWireSettings(
        base_url=url,
        merchant=MERCHANT,
        merchant_key_pem=merchant_key().decode(),
        platform_keys_pem=stand_in.platform_keys_pem,
    )
    async with _serve(stand_in.app, listening, AcquirerProvider(settings, where.clock)) as provider:
        yield provider, url


@asynccontextmanager
async def wechat(where: Neighbourhood) -> AsyncGenerator[Opened]:
    """Open WeChat Pay."""
    listening = listener()
    url, api_key = url_of(listening), new_api_key()
    stand_in = create_wechat(
        WechatOptions(
            data=where.folder / "wechat.sqlite",
            merchant=WECHAT_MERCHANT,
            merchant_keys_pem={WECHAT_SERIAL: public_pem(merchant_key()).encode()},
            api_key=api_key,
            public_url=url,
        ),
        where.clock,
    )
    settings = WechatSettings(
        base_url=url,
        merchant=WECHAT_MERCHANT,
        app=WECHAT_APP,
        key_pem=merchant_key().decode(),
        key_serial=WECHAT_SERIAL,
        api_key=api_key,
        platform_keys_pem=stand_in.platform_keys_pem,
        service_url=stand_in.service_url,
        notice_url=where.notice_url,
    )
    async with _serve(stand_in.app, listening, WechatProvider(settings, where.clock)) as provider:
        yield provider, url


@asynccontextmanager
async def alipay(where: Neighbourhood) -> AsyncGenerator[Opened]:
    """Open Alipay."""
    listening = listener()
    url = url_of(listening)
    stand_in = create_alipay(
        AlipayOptions(
            data=where.folder / "alipay.sqlite",
            app_key_pem=public_pem(merchant_key()).encode(),
            public_url=url,
            app_id=ALIPAY_APP,
            seller_id=ALIPAY_SELLER,
        ),
        where.clock,
    )
    settings = AlipaySettings(
        app_id=ALIPAY_APP,
        seller_id=ALIPAY_SELLER,
        app_key_pem=merchant_key().decode(),
        alipay_public_keys_pem=stand_in.public_keys_pem,
        notify_url=where.notice_url,
        gateway_url=f"{url}/gateway.do",
        sign_channel="QRCODE",
    )
    async with _serve(stand_in.app, listening, AlipayProvider(settings, where.clock)) as provider:
        yield provider, url


@asynccontextmanager
async def stripe(where: Neighbourhood) -> AsyncGenerator[Opened]:
    """Open Stripe."""
    listening = listener()
    url = url_of(listening)
    app = create_stripe_stand_in(
        StripeOptions(
            data=where.folder / "stripe.sqlite",
            secret_key=STRIPE_KEY,
            webhook_secrets=(STRIPE_SECRET,),
            public_url=url,
            notice_url=where.notice_url,
        ),
        where.clock,
    )
    settings = StripeSettings(secret_key=STRIPE_KEY, webhook_secrets=(STRIPE_SECRET,), base_url=url)
    async with _serve(app, listening, StripeProvider(settings, where.clock)) as provider:
        yield provider, url


@asynccontextmanager
async def etc(where: Neighbourhood) -> AsyncGenerator[Opened]:
    """Open the ETC acquirer; every antenna sees every car."""
    listening = listener()
    url = url_of(listening)
    stand_in = create_etc_stand_in(
        EtcOptions(
            data=where.folder / "etc.sqlite",
            merchant=MERCHANT,
            merchant_keys_pem=(etc_public_pem(etc_key()).encode(),),
            public_url=url,
            notice_url=where.notice_url,
            sees_everything=True,
        ),
        where.clock,
    )
    settings = SignedWireSettings(
        base_url=url,
        merchant=MERCHANT,
        merchant_key_pem=etc_key().decode(),
        platform_keys_pem=stand_in.platform_keys_pem,
    )
    async with _serve(stand_in.app, listening, EtcProvider(settings, where.clock)) as provider:
        yield provider, url


@asynccontextmanager
async def _serve(
    app: Starlette, listening: socket.socket, provider: PaymentProvider
) -> AsyncGenerator[PaymentProvider]:
    async with served(app, listening):
        try:
            yield provider
        finally:
            await provider.aclose()


OPENERS: Final[Mapping[str, Opener]] = {
    "acquirer": acquirer,
    "wechat": wechat,
    "alipay": alipay,
    "stripe": stripe,
    "etc": etc,
}
