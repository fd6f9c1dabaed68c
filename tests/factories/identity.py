"""What the tests of sign-in, plates and the API share: a database, keys, and a clock they move."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from parking.drivers.models import Driver
from parking.drivers.port import RecordingSmsSender
from parking.drivers.rules import CODE_DIGITS
from parking.drivers.service import SignedIn, request_sign_in_code, sign_in
from parking.kit.clock import ManualClock, SystemClock
from parking.kit.crypto import Vault
from parking.kit.database import Database
from parking.kit.errors import ParkingError
from parking.kit.ids import new_id
from parking.kit.tokens import TokenIssuer, new_token_key

TOKEN_KEY: Final = new_token_key()
VAULT: Final = Vault(field_key=b"f" * 32, index_key=b"i" * 32)
PHONE: Final = "+4915112345678"
ADDRESS: Final = "203.0.113.7"


@dataclass(frozen=True, slots=True)
class World:
    """One test's surroundings."""

    database: Database
    clock: ManualClock
    sms: RecordingSmsSender
    tokens: TokenIssuer

    @property
    def vault(self) -> Vault:
        return VAULT

    def last_code(self) -> str:
        return self.sms.messages[-1].text[:CODE_DIGITS]

    async def add_driver(self) -> UUID:
        async with self.database.begin() as unit:
            driver = Driver(id=new_id(unit.now()), created_at=unit.now())
            unit.session.add(driver)
        return driver.id

    async def sign_in(self, phone: str = PHONE, *, address: str = ADDRESS) -> SignedIn:
        request = await request_sign_in_code(
            self.database, self.sms, phone_number=phone, client_address=address
        )
        signed_in = await self.try_sign_in(request.request_id, self.last_code(), phone=phone)
        assert isinstance(signed_in, SignedIn)
        return signed_in

    async def try_sign_in(
        self, request_id: UUID, code: str, *, phone: str = PHONE, address: str = ADDRESS
    ) -> SignedIn | ParkingError:
        async with self.database.begin() as unit:
            return await sign_in(
                unit,
                self.tokens,
                request_id=request_id,
                phone_number=phone,
                code=code,
                device_name="Phone",
                client_address=address,
            )


@asynccontextmanager
async def open_world(database_url: str) -> AsyncGenerator[World]:
    # The real date, because the template has partitions only from this month on.
    clock = ManualClock(SystemClock().now())
    database = Database(database_url, clock=clock, vault=VAULT)
    try:
        yield World(database, clock, RecordingSmsSender(), TokenIssuer(TOKEN_KEY, clock=clock))
    finally:
        await database.close()
