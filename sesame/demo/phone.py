"""A driver's phone: the app as a client of the API, with a keychain that outlives it."""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, Self

from parking.kit.errors import ParkingError
from sesame.demo import documents
from sesame.demo.graphql_client import ApiRefusedError, GraphQLClient, Json
from sesame.demo.inboxes import SmsInbox
from sesame.demo.payer import Payer
from sesame.demo.providers import ACQUIRER, BY_PAYER, BY_PLATE
from sesame.demo.town import PRIVATE_MODE

ACTIVE: Final = "ACTIVE"
# Signed in by the keychain, not by a code of the last minutes.
REAUTHENTICATION: Final = "REAUTHENTICATION_REQUIRED"
# WeChat tells nobody that a service was opened: the worker asks about it every few seconds.
MANDATE_LOOKS_MAX: Final = 300
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

    async def allow(self, providers: Sequence[str], plate: str) -> list[str]:
        """Let exactly these providers charge, in this order; returns the mandates.

        Mandates that are active already stay. Errors as in `authorize`.
        """
        for mandate in (await self.viewer())["mandates"]:
            if mandate["provider"] not in providers or mandate["state"] != ACTIVE:
                await self._api.run(documents.REVOKE, input={"mandateId": mandate["id"]})
        mandates = [await self.authorize(provider, plate) for provider in providers]
        await self._api.run(documents.ORDER_ACCOUNTS, input={"mandateIds": mandates})
        return mandates

    async def authorize(self, provider: str = ACQUIRER, plate: str | None = None) -> str:
        """Allow payment without a password, on the provider's page; returns the mandate.

        A mandate that is active already stays.

        Args:
            provider: Whose account.
            plate: The only car that it is for, if the provider needs one.

        Raises:
            MandatePendingError: the provider's word did not come.
        """
        viewer = await self.viewer()
        for mandate in viewer["mandates"]:
            if (mandate["provider"], mandate["state"]) == (provider, ACTIVE):
                return str(mandate["id"])
        wanted = {"provider": provider}
        if provider in BY_PLATE:
            wanted["plateId"] = next(one["id"] for one in viewer["plates"] if one["text"] == plate)
        if provider in BY_PAYER:
            wanted["payerId"] = self.target
        return await self._confirm(wanted)

    async def _confirm(self, wanted: Json) -> str:
        started = (await self._api.run(documents.AUTHORIZE, input=wanted))["mandate"]
        async with Payer() as payer:
            await payer.press(started["confirmationUrl"])
        await self._confirm_terms(started["id"], started["terms"]["digest"])
        for _ in range(MANDATE_LOOKS_MAX):
            mandates = (await self.viewer())["mandates"]
            if any(one["id"] == started["id"] and one["state"] == ACTIVE for one in mandates):
                return str(started["id"])
            await asyncio.sleep(LOOK_S)
        raise MandatePendingError("the authorization stays pending")

    async def _confirm_terms(self, mandate_id: str, digest: str) -> None:
        wanted = {"mandateId": mandate_id, "termsDigest": digest}
        try:
            await self._api.run(documents.CONFIRM_TERMS, input=wanted)
        except ApiRefusedError as error:
            if error.refusal != REAUTHENTICATION:
                raise
            await self._prove_again()
            await self._api.run(documents.CONFIRM_TERMS, input=wanted)

    async def _prove_again(self) -> None:
        purpose = {"purpose": "PASSWORD_FREE"}
        sent = await self._api.run(documents.REQUEST_CONFIRMATION, input=purpose)
        code = await self._sms.last_code(self.number)
        given = {**purpose, "requestId": sent["requestId"], "code": code}
        await self._api.run(documents.CONFIRM_CODE, input=given)

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

    async def inbox(self, session_id: str) -> list[Json]:
        """Return what the driver was told about a stay, the newest first."""
        edges = (await self._api.run(documents.INBOX))["notifications"]["edges"]
        return [edge["node"] for edge in edges if edge["node"]["subjectId"] == session_id]

    async def acknowledge(self, notices: Sequence[Json]) -> None:
        """Say that the driver has seen some of the inbox."""
        ids = [notice["id"] for notice in notices]
        await self._api.run(documents.ACKNOWLEDGE, input={"ids": ids})

    async def bills(self, session_id: str) -> list[Json]:
        """Return the issued bills of a stay, newest first, corrected ones too."""
        return list((await self._api.run(documents.SESSION_BILLS, id=session_id))["bills"])

    async def verify(self, bill_id: str) -> Json:
        """Let the API recompute a bill; `verified`, `firstProblem` and `checks`."""
        return await self._api.run(documents.VERIFY_BILL, billId=bill_id)

    async def download(self, url: str) -> bytes:
        """Return what an address of the API answers with."""
        return await self._api.download(url)

    async def dispute(self, bill_id: str, reason: str, comment: str) -> Json:
        """Contest a bill; returns the dispute's `id` and `state`."""
        wanted = {"billId": bill_id, "reason": reason, "comment": comment}
        return dict((await self._api.run(documents.DISPUTE_BILL, input=wanted))["dispute"])

    async def pass_products(self, place_id: str, day: date) -> list[Json]:
        """Return what passes a place sells, with what the first period from `day` costs."""
        return await self._api.run_list(
            documents.OFFERED_PASSES, placeId=place_id, day=day.isoformat()
        )

    async def buy_pass(self, product: Json, plate: str) -> Json:
        """Buy a pass for a bound plate at the price that was shown; returns the pass."""
        plates = (await self.viewer())["plates"]
        wanted = {
            "productId": product["id"],
            "plateIds": [bound["id"] for bound in plates if bound["text"] == plate],
            "price": product["firstPrice"],
        }
        key = secrets.token_hex(8)
        return dict((await self._api.run(documents.BUY_PASS, input=wanted, key=key))["pass"])

    async def invoice(self, bill_ids: Sequence[str], buyer: Json) -> Json:
        """Ask for one invoice over paid bills; returns its `number`, `gross` and `pdfUrl`."""
        wanted = {"billIds": list(bill_ids), "buyer": buyer}
        return dict((await self._api.run(documents.REQUEST_INVOICE, input=wanted))["invoice"])

    async def owed(self, session_id: str) -> Json | None:
        """Return `billId`, `amount` and `isBeingPaid` of a stay that is owed; None for nothing."""
        found = (await self._api.run(documents.OWED))["owed"]
        return next((one for one in found if one["sessionId"] == session_id), None)

    async def owes_nothing(self, session_id: str) -> bool:
        """Say whether nothing is owed for a stay."""
        return await self.owed(session_id) is None

    async def credit(self, operator: str) -> Json:
        """Return the credit at an operator: `used` and `limit`."""
        found = (await self._api.run(documents.OWED))["credit"]
        return next(one for one in found if one["operatorName"] == operator)

    async def pay_owed(self, bill_id: str, place_id: str) -> Json:
        """Pay at another place what is owed, by the accounts; returns `status` and `amount`."""
        wanted = {"billId": bill_id, "placeId": place_id}
        return await self._api.run(documents.PAY_OWED, input=wanted)

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
