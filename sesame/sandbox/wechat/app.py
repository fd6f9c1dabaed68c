"""The stand-in as one ASGI application."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette

from parking.kit.clock import Clock
from sesame.sandbox.platform import (
    RETRY_MS,
    Action,
    Platform,
    PlatformOptions,
    create_app,
    open_platform,
)
from sesame.sandbox.wechat.account import Account, Authorization, Identities
from sesame.sandbox.wechat.bill_calls import BillCalls
from sesame.sandbox.wechat.gate import Gate
from sesame.sandbox.wechat.merchants import Merchant
from sesame.sandbox.wechat.notices import WechatNotices
from sesame.sandbox.wechat.page_calls import PageCalls, RefundCalls
from sesame.sandbox.wechat.pages import SERVICE_PATH, page_routes
from sesame.sandbox.wechat.parking_calls import ParkingCalls
from sesame.sandbox.wechat.parkings import Services
from sesame.sandbox.wechat.paying import PayingPages
from sesame.sandbox.wechat.signing import PlatformKey, load_merchant_key, new_private_pem

PLATFORM_KEYS = 2
MERCHANT = "1900000109"
APP = "wxcbda96de0b165486"
ACCOUNT_APP = "wx8397f8696b538317"
# Of the merchant's certificate.
SERIAL = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to run the stand-in.

    Attributes:
        data: The SQLite file; made if it is not there.
        merchant: The merchant's number, and `sub_merchant` whom it acts for as a service provider.
        merchant_keys_pem: Its public keys by their certificates' serial numbers.
        api_key: The APIv3 key that both know.
        app: The `appid` that is bound to the merchant.
        account: The official account whose pages take money inside WeChat.
        page_host: The host from whose pages phones may come to pay.
        public_url: Where payers reach the pages, without a slash at the end.
    """

    data: Path
    merchant: str
    merchant_keys_pem: dict[str, bytes]
    api_key: str = field(repr=False)
    public_url: str
    sub_merchant: str | None = None
    app: str = APP
    account: Account | None = None
    page_host: str = "127.0.0.1"
    notice_retry_ms: int = RETRY_MS


@dataclass(frozen=True, slots=True)
class StandIn:
    """The application, and what a merchant has to know to use it.

    Attributes:
        platform_keys_pem: Public keys, each after a line with its name.
        service_url: The page that opens the parking service for a plate.
    """

    app: Starlette
    platform_keys_pem: str
    service_url: str


class _ServiceWish(BaseModel):
    """What a payer does in WeChat: `{"service": {"plate": …, "state": …}}`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Literal["paused", "resumed", "closed", "forgotten"]
    plate: Annotated[str, Field(max_length=32)] = ""


def create_stand_in(options: Options, clock: Clock) -> StandIn:
    """Return the stand-in; a restart on the same file goes on where the last one stopped.

    Raises:
        ValueError: a merchant key is not an RSA public key, or the file is of another version.
    """
    merchant_keys = {
        serial: load_merchant_key(pem) for serial, pem in options.merchant_keys_pem.items()
    }
    platform = open_platform(
        PlatformOptions(
            name="wechat",
            data=options.data,
            public_url=options.public_url,
            title="WeChat Pay",
            notice_retry_ms=options.notice_retry_ms,
            key_count=PLATFORM_KEYS,
        ),
        clock,
    )
    merchant = Merchant(
        platform=platform,
        merchant=options.merchant,
        sub_merchant=options.sub_merchant,
        api_key=options.api_key,
        keys=tuple(_platform_key(platform, position) for position in range(PLATFORM_KEYS)),
        merchant_keys=merchant_keys,
        app=options.app,
        account=options.account,
    )
    identities = Identities(platform)
    services, gate = Services(platform), Gate(merchant)
    routes = [
        *ParkingCalls(merchant, services).routes(gate),
        *PageCalls(merchant, identities).routes(gate),
        *PayingPages(merchant, identities, page_host=options.page_host).routes(),
        *RefundCalls(merchant).routes(gate),
        *BillCalls(merchant, gate).routes(),
        *page_routes(
            platform, services, merchant=options.merchant, sub_merchant=options.sub_merchant
        ),
    ]
    if options.account is not None:
        routes += Authorization(platform, identities, options.account).routes()
    actions = [Action("service", _ServiceWish, lambda wish: _serve_wish(services, wish))]
    return StandIn(
        app=create_app(platform, WechatNotices(merchant), routes=routes, actions=actions),
        platform_keys_pem="".join(key.public_text() for key in merchant.keys),
        service_url=options.public_url + SERVICE_PATH,
    )


def _platform_key(platform: Platform, position: int) -> PlatformKey:
    pem = platform.store.secret(f"platform_key_{position}", new_private_pem)
    return PlatformKey(f"PUB_KEY_ID_01142321349124100000000000000{position}", pem)


def _serve_wish(services: Services, wish: _ServiceWish) -> None:
    if wish.state == "forgotten":
        services.forget()
    elif wish.state == "closed":
        services.close(wish.plate)
    else:
        services.pause(wish.plate, is_paused=wish.state == "paused")
