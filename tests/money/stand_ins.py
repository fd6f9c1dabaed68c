"""Opens each provider's stand-in and adapter; one more provider is one more function here."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from parking.kit.clock import Clock
from parking.payments.port import PaymentProvider
from parking.payments.providers.acquirer import AcquirerProvider, AcquirerSettings
from sesame.sandbox.acquirer import Options, create_stand_in
from sesame.sandbox.acquirer.signing import new_private_pem, public_pem
from tests.contract.http_server import listener, url_of
from tests.money.loop_server import served

MERCHANT: Final = "parkside"


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


@asynccontextmanager
async def acquirer(where: Neighbourhood) -> AsyncGenerator[Opened]:
    """Open the acquirer."""
    listening = listener()
    url = url_of(listening)
    stand_in = create_stand_in(
        Options(
            data=where.folder / "acquirer.sqlite",
            merchant=MERCHANT,
            merchant_keys_pem=(public_pem(merchant_key()).encode(),),
            public_url=url,
            notice_url=where.notice_url,
        ),
        where.clock,
    )
    settings = AcquirerSettings(
        base_url=url,
        merchant=MERCHANT,
        merchant_key_pem=merchant_key().decode(),
        platform_keys_pem=stand_in.platform_keys_pem,
    )
    provider = AcquirerProvider(settings, where.clock)
    async with served(stand_in.app, listening):
        try:
            yield provider, url
        finally:
            await provider.aclose()


OPENERS: Final[Mapping[str, Opener]] = {"acquirer": acquirer}
