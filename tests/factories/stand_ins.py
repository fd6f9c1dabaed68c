"""Every payment provider's stand-in as an application, with an adapter's settings for it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Final, TypeVar

from starlette.applications import Starlette

from parking.kit.clock import Clock
from parking.payments.port import PaymentProvider
from parking.payments.providers.acquirer import AcquirerProvider
from parking.payments.providers.alipay import AlipayProvider, AlipaySettings
from parking.payments.providers.etc import EtcProvider
from parking.payments.providers.gocardless import GoCardlessProvider, GoCardlessSettings
from parking.payments.providers.stripe import StripeProvider, StripeSettings
from parking.payments.providers.wechat import OfficialAccount, WechatProvider, WechatSettings
from parking.payments.signed_wire import SignedWireSettings
from sesame.sandbox import acquirer as acquirer_stand_in
from sesame.sandbox import alipay as alipay_stand_in
from sesame.sandbox import etc as etc_stand_in
from sesame.sandbox import gocardless as gocardless_stand_in
from sesame.sandbox import stripe as stripe_stand_in
from sesame.sandbox import wechat as wechat_stand_in
from sesame.sandbox.acquirer.signing import new_private_pem, public_pem
from sesame.sandbox.alipay.app import APP_ID, SELLER_ID
from sesame.sandbox.etc.signing import etc_public_pem, new_etc_private_pem
from sesame.sandbox.wechat.app import APP, SERIAL
from sesame.sandbox.wechat.app import MERCHANT as WECHAT_MERCHANT

MERCHANT: Final = "parkside"
ACCOUNT_APP: Final = "wx8397f8696b538317"
ACCOUNT_SECRET: Final = "7813490da6f1265e4901ffb80afaa36f"
PAGE_HOST: Final = "api.parkside.example"
STRIPE_KEY: Final = "sk_test_parkside"
STRIPE_SECRETS: Final = ("whsec_parkside_new", "whsec_parkside_old")
BANK_TOKEN: Final = "sandbox_of_these_tests"
BANK_SECRET: Final = "the secret of these tests' events"

_Settings = TypeVar("_Settings")


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a stand-in is built.

    Attributes:
        folder: For its books.
        url: Where it will answer.
        notice_url: Where its notices go.
    """

    folder: Path
    url: str
    notice_url: str
    clock: Clock

    def books(self, name: str) -> Path:
        """Return the file of a stand-in's books."""
        return self.folder / f"{name}.sqlite"


@cache
def merchant_key() -> bytes:
    """Return one RSA key for the whole run: making one takes longer than most tests."""
    return new_private_pem()


def acquirer(ground: Ground) -> tuple[Starlette, SignedWireSettings]:
    """Build the acquirer of docs/acquirer-wire.md."""
    options = acquirer_stand_in.Options(
        data=ground.books("acquirer"),
        merchant=MERCHANT,
        merchant_keys_pem=(public_pem(merchant_key()).encode(),),
        public_url=ground.url,
        notice_url=ground.notice_url,
    )
    built = acquirer_stand_in.create_stand_in(options, ground.clock)
    return built.app, SignedWireSettings(
        base_url=ground.url,
        merchant=MERCHANT,
        merchant_key_pem=merchant_key().decode(),
        platform_keys_pem=built.platform_keys_pem,
    )


def etc(ground: Ground, *, sees_everything: bool = False) -> tuple[Starlette, SignedWireSettings]:
    """Build the acquirer of docs/etc-wire.md."""
    key = new_etc_private_pem()
    options = etc_stand_in.Options(
        data=ground.books("etc"),
        merchant=MERCHANT,
        merchant_keys_pem=(etc_public_pem(key).encode(),),
        public_url=ground.url,
        notice_url=ground.notice_url,
        sees_everything=sees_everything,
    )
    built = etc_stand_in.create_stand_in(options, ground.clock)
    return built.app, SignedWireSettings(
        base_url=ground.url,
        merchant=MERCHANT,
        merchant_key_pem=key.decode(),
        platform_keys_pem=built.platform_keys_pem,
    )


def wechat(
    ground: Ground, *, sub_merchant: str | None = None, is_advance_funded: bool = False
) -> tuple[Starlette, WechatSettings]:
    """Build WeChat Pay, for a merchant with an account whose pages open in WeChat."""
    api_key = wechat_stand_in.new_api_key()
    options = wechat_stand_in.Options(
        data=ground.books("wechat"),
        merchant=WECHAT_MERCHANT,
        sub_merchant=sub_merchant,
        merchant_keys_pem={SERIAL: public_pem(merchant_key()).encode()},
        api_key=api_key,
        public_url=ground.url,
        account=wechat_stand_in.Account(
            app=ACCOUNT_APP, secret=ACCOUNT_SECRET, page_host=PAGE_HOST
        ),
        page_host=PAGE_HOST,
    )
    built = wechat_stand_in.create_stand_in(options, ground.clock)
    return built.app, WechatSettings(
        base_url=ground.url,
        merchant=WECHAT_MERCHANT,
        sub_merchant=sub_merchant,
        app=APP,
        key_pem=merchant_key().decode(),
        key_serial=SERIAL,
        api_key=api_key,
        platform_keys_pem=built.platform_keys_pem,
        service_url=built.service_url,
        notice_url=ground.notice_url,
        is_advance_funded=is_advance_funded,
        account=OfficialAccount(
            app=ACCOUNT_APP, secret=ACCOUNT_SECRET, page_url=ground.url, api_url=ground.url
        ),
    )


def alipay(ground: Ground, *, sign_channel: str | None = None) -> tuple[Starlette, AlipaySettings]:
    """Build Alipay."""
    options = alipay_stand_in.Options(
        data=ground.books("alipay"),
        app_key_pem=public_pem(merchant_key()).encode(),
        public_url=ground.url,
    )
    built = alipay_stand_in.create_stand_in(options, ground.clock)
    return built.app, AlipaySettings(
        app_id=APP_ID,
        seller_id=SELLER_ID,
        app_key_pem=merchant_key().decode(),
        alipay_public_keys_pem=built.public_keys_pem,
        notify_url=ground.notice_url,
        gateway_url=f"{ground.url}/gateway.do",
        sign_channel=sign_channel,
    )


def stripe(ground: Ground) -> tuple[Starlette, StripeSettings]:
    """Build Stripe."""
    options = stripe_stand_in.Options(
        data=ground.books("stripe"),
        secret_key=STRIPE_KEY,
        webhook_secrets=STRIPE_SECRETS,
        public_url=ground.url,
        notice_url=ground.notice_url,
    )
    return stripe_stand_in.create_stand_in(options, ground.clock), StripeSettings(
        secret_key=STRIPE_KEY, webhook_secrets=STRIPE_SECRETS, base_url=ground.url
    )


def gocardless(ground: Ground) -> tuple[Starlette, GoCardlessSettings]:
    """Build GoCardless."""
    options = gocardless_stand_in.Options(
        data=ground.books("gocardless"),
        access_token=BANK_TOKEN,
        webhook_secret=BANK_SECRET,
        public_url=ground.url,
        notice_url=ground.notice_url,
    )
    return gocardless_stand_in.create_stand_in(options, ground.clock), GoCardlessSettings(
        base_url=ground.url, access_token=BANK_TOKEN, webhook_secret=BANK_SECRET
    )


def _adapted(
    built: Callable[[Ground], tuple[Starlette, _Settings]],
    adapter: Callable[[_Settings, Clock], PaymentProvider],
) -> Callable[[Ground], tuple[Starlette, PaymentProvider]]:
    def both(ground: Ground) -> tuple[Starlette, PaymentProvider]:
        app, settings = built(ground)
        return app, adapter(settings, ground.clock)

    return both


# Ready for stories, where payers use web pages and every antenna sees every car.
WITH_ADAPTERS: Final = {
    "acquirer": _adapted(acquirer, AcquirerProvider),
    "wechat": _adapted(wechat, WechatProvider),
    "alipay": _adapted(partial(alipay, sign_channel="QRCODE"), AlipayProvider),
    "stripe": _adapted(stripe, StripeProvider),
    "etc": _adapted(partial(etc, sees_everything=True), EtcProvider),
    "gocardless": _adapted(gocardless, GoCardlessProvider),
}
