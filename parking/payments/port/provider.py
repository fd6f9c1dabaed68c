"""The protocol that every adapter implements."""

from collections.abc import Mapping
from datetime import date
from typing import Protocol

from parking.payments.port.agreements import AgreementRequest, AgreementStarted, AgreementState
from parking.payments.port.notices import Notice, NoticeOutcome, NoticeReply
from parking.payments.port.orders import (
    ChargeOrder,
    ChargeResult,
    Checkout,
    CheckoutOrder,
    RefundOrder,
    RefundResult,
    SentOrder,
)
from parking.payments.port.settlements import SettlementRow
from parking.payments.port.traits import ProviderTraits


class PaymentProvider(Protocol):
    """One provider; safe to share between tasks.

    No method may be called while a database transaction is open.
    """

    @property
    def name(self) -> str:
        """The adapter's name, as attempts and mandates store it."""
        ...

    @property
    def traits(self) -> ProviderTraits:
        """What it can do."""
        ...

    async def start_agreement(self, request: AgreementRequest) -> AgreementStarted:
        """Open an agreement that the payer confirms on the provider's page; idempotent by number.

        Raises:
            ProviderUnavailableError: no trustworthy answer came.
            ProviderRefusedError: the provider said no.
        """
        ...

    async def query_agreement(self, reference: str, *, plate: str | None = None) -> AgreementState:
        """Return where the agreement stands; `UNKNOWN` where no trustworthy answer came.

        Args:
            reference: As `start_agreement` gave it.
            plate: Where `ProviderTraits.needs_plate`.
        """
        ...

    async def cancel_agreement(self, reference: str, *, plate: str | None = None) -> AgreementState:
        """End the agreement; idempotent. `UNKNOWN` means: ask again."""
        ...

    async def charge(self, order: ChargeOrder) -> ChargeResult:
        """Take the money under an active agreement; idempotent by number."""
        ...

    async def start_checkout(self, order: CheckoutOrder) -> Checkout:
        """Open a payment page; idempotent by number.

        Raises:
            ProviderUnavailableError: no trustworthy answer came; the page may exist.
            ProviderRefusedError: the provider said no.
        """
        ...

    async def query(self, order: SentOrder) -> ChargeResult:
        """Return where the charge or checkout stands."""
        ...

    async def close(self, order: SentOrder) -> ChargeResult:
        """Make sure that the order takes no money any more.

        Returns `FAILED` with `CLOSED` where no money was taken, also for a number that the
        provider has never seen (a late delivery of it will then fail, where the provider can
        promise that), and `SUCCEEDED` where the money was taken before. Idempotent.
        """
        ...

    async def refund(self, order: RefundOrder) -> RefundResult:
        """Give money back; all refunds of a charge never exceed it. Idempotent by number."""
        ...

    async def query_refund(self, order: RefundOrder) -> RefundResult:
        """Return where the refund stands, moving nothing."""
        ...

    def verify_notices(self, headers: Mapping[str, str], body: bytes) -> tuple[Notice, ...]:
        """Return what the provider says, after its signature and its time were checked.

        Empty where it is genuine and about nothing that we act on. A byte-for-byte repetition
        within the time window verifies again: `notice_id` is what stops it.

        Args:
            headers: As received; names are compared without case.
            body: As received, before any decoding.

        Raises:
            NoticeRefusedError: do nothing, and answer `notice_reply(REFUSED)`.
        """
        ...

    def notice_reply(self, outcome: NoticeOutcome) -> NoticeReply:
        """Return the answer that makes the provider do what `outcome` needs."""
        ...

    async def fetch_settlement(self, day: date) -> tuple[SettlementRow, ...]:
        """Return what the provider's books say of a day, whole or not at all.

        Args:
            day: In `ProviderTraits.timezone`.

        Raises:
            SettlementNotReadyError: the day's books are not closed.
            ProviderUnavailableError: no trustworthy answer came.
        """
        ...

    async def aclose(self) -> None:
        """Give back the connections."""
        ...
