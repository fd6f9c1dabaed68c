"""A driver's phone: the app as a client of the API, with a keychain that outlives it."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, Self

from parking.kit.errors import ParkingError
from sesame.demo import documents
from sesame.demo.graphql_client import ApiRefusedError, GraphQLClient, Json
from sesame.demo.inboxes import SmsInbox
from sesame.demo.payer import Payer
from sesame.demo.town import PRIVATE_MODE

ACTIVE: Final = "ACTIVE"
MANDATE_LOOKS_MAX: Final = 100
LOOK_S: Final = 0.1


class MandatePendingError(ParkingError):
    """The driver confirmed, and the authorization did not become active in time."""

    code: ClassVar[str] = "MANDATE_PENDING"


class Phone:
    """One driver's phone; used as `async with`, which signs it in.

    Attributes:
        number: The driver's.
        target: Where its pushes go.
    """

    def __init__(self, api_url: str, keychain: Path, owner: str, sms: SmsInbox) -> None:
        """Take the phone of `owner`: the same number each time.

        Args:
            api_url: Where the API is.
            keychain: Folder where the phones keep their refresh tokens.
            owner: Any name.
            sms: What the phone receives.
        """
        digest = hashlib.sha256(owner.encode()).digest()
        self.number = f"+86139{int.from_bytes(digest[:4]) % 10**8:08d}"
        self.target = f"phone-{digest.hex()[:20]}"
        self._key = keychain / self.target
        self._api = GraphQLClient(api_url)
        self._sms = sms

    async def __aenter__(self) -> Self:
        await self.sign_in()
        await self._api.run(
            documents.REGISTER_DEVICE,
            input={"kind": "FID", "target": self.target, "platform": "android"},
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._api.close()

    async def sign_in(self) -> None:
        """Sign in with the keychain's token, or with a code by SMS."""
        if self._key.exists():
            try:
                await self._refresh()
            except ApiRefusedError:
                # Another database, or a run that ended between the exchange and the writing.
                pass
            else:
                return
        sent = await self._api.run(documents.REQUEST_CODE, input={"phoneNumber": self.number})
        code = await self._sms.last_code(self.number)
        self._keep(
            await self._api.run(
                documents.SIGN_IN,
                input={
                    "requestId": sent["requestId"],
                    "phoneNumber": self.number,
                    "code": code,
                    "deviceName": "Demo phone",
                },
            )
        )

    async def viewer(self) -> Json:
        """Return the driver's `plates`, `mandates` and `activeSessions`."""
        return await self._api.run(documents.VIEWER)

    async def has_plate(self, plate: str) -> bool:
        """Say whether a plate is bound to this driver."""
        return any(bound["text"] == plate for bound in (await self.viewer())["plates"])

    async def claim(self, plate: str) -> str:
        """Ask for a plate; returns the claim that the lane's code will prove."""
        claimed = await self._api.run(documents.BIND_PLATE, input={"plate": plate})
        return str(claimed["claim"]["id"])

    async def confirm(self, claim_id: str, code: str) -> None:
        """Prove a claim with the code on a lane's display."""
        await self._api.run(documents.CONFIRM_PLATE, input={"claimId": claim_id, "code": code})

    async def authorize(self) -> str:
        """Allow payment without a password, on the acquirer's page; returns the mandate.

        A mandate that is active already stays.

        Raises:
            MandatePendingError: the acquirer's word did not come.
        """
        for mandate in (await self.viewer())["mandates"]:
            if mandate["state"] == ACTIVE:
                return str(mandate["id"])
        started = (await self._api.run(documents.AUTHORIZE, input={}))["mandate"]
        async with Payer() as payer:
            await payer.press(started["confirmationUrl"])
        for _ in range(MANDATE_LOOKS_MAX):
            mandates = (await self.viewer())["mandates"]
            if any(one["id"] == started["id"] and one["state"] == ACTIVE for one in mandates):
                return str(started["id"])
            await asyncio.sleep(LOOK_S)
        raise MandatePendingError("the authorization stays pending")

    async def active_session(self, plate: str) -> Json:
        """Return the running stay of a plate.

        Raises:
            LookupError: there is none.
        """
        for session in (await self.viewer())["activeSessions"]:
            if session["plate"] == plate:
                return dict(session)
        raise LookupError(f"no running stay of {plate}")

    async def session(self, session_id: str) -> Json:
        """Return one of the driver's stays, an ended one too."""
        return await self._api.run(documents.SESSION, id=session_id)

    def follow(self, session_id: str) -> AbstractAsyncContextManager[AsyncGenerator[Json]]:
        """Subscribe to a stay; each update has `reason`, `version`, `event` and `session`."""
        return self._api.follow(documents.SESSION_UPDATED, sessionId=session_id)

    async def _refresh(self) -> None:
        token = self._key.read_text(encoding="ascii")
        self._keep(await self._api.run(documents.REFRESH, input={"refreshToken": token}))

    def _keep(self, signed_in: Json) -> None:
        self._api.token = signed_in["accessToken"]
        self._key.parent.mkdir(parents=True, exist_ok=True)
        self._key.touch(mode=PRIVATE_MODE)
        self._key.write_text(signed_in["refreshToken"], encoding="ascii")
