"""The bill behind a QR code: shown and paid without signing in."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from parking.flows.bills import live_bill
from parking.flows.bills.billing import current_bill
from parking.flows.bills.live_bill import BillLine
from parking.flows.context import ParkingContext
from parking.flows.pay_link import pay_url, read_pay_token
from parking.flows.payments import settlement
from parking.flows.payments.visitor import ANYONE, Visitor, device_of, page_for
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.lanes import repository as lanes
from parking.payments import repository
from parking.payments import service as payments
from parking.payments.errors import (
    BillUnknownError,
    NothingDueError,
    PaymentInProgressError,
    PaymentUnavailableError,
    ProviderMissingError,
)
from parking.payments.models import AttemptKind, AttemptState, Bill, BillState, PaymentAttempt
from parking.payments.port import (
    CheckoutOrder,
    ProviderRefusedError,
    ProviderUnavailableError,
)
from parking.payments.rules import LIVE_STATES, UNPAID_STATES
from parking.places import service as places
from parking.sessions import service as sessions
from parking.sessions.models import Session

# Two people at one bill could go on choosing for ever.
SWITCHES_MAX = 3
_SHOWN_AT_EACH_END = 2
_CHOSEN_MEANWHILE = "bill: another way to pay was chosen meanwhile"
_Begin = Callable[[str | None], Awaitable[PaymentAttempt]]


class PayState(StrEnum):
    """What the page says: DUE can be paid now, PAID is settled, LEFT is over."""

    DUE = "due"
    IN_PROGRESS = "in_progress"
    PAID = "paid"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class PayPage:
    """The bill as anyone with its address may see it.

    Attributes:
        plate_masked: Enough for the driver to recognise the car, too little to name it.
        methods: The providers that it can be paid with by hand, the usual one first.
        open_method: The one whose payment page is open now, if any is.
        handover: What this page hands over to that provider's app, where the page is ours.
    """

    place_name: str
    timezone: str
    plate_masked: str
    entered_at: datetime
    lines: tuple[BillLine, ...]
    total: Money
    paid: Money
    due: Money
    as_of: datetime
    prepaid_until: datetime | None
    state: PayState
    methods: tuple[str, ...]
    open_method: str | None
    handover: Mapping[str, str] | None = None


async def bill_of(context: ParkingContext, token: str) -> PayPage:
    """Return the bill behind a token.

    Raises:
        BillUnknownError: the token is not one of ours.
    """
    operator_id, session_id = read_pay_token(context.vault, token)
    async with context.database.begin() as unit:
        session = await _lock_session(unit, operator_id, session_id)
        standing = await _standing(unit, session)
        # Who stands at the exit sees the bill that waits there: its lines are what is due.
        at = unit.now() if standing is None else standing.priced_until
        bill = await live_bill.compute(unit, session, at)
        open_page = await _open_page(unit, standing)
        place = await places.require_place(unit, operator_id, session.place_id)
        plate = sessions.plate_of(unit, session)
    due = bill.due if standing is None else Money(standing.total_minor, standing.currency)
    return PayPage(
        place_name=place.name,
        timezone=place.timezone,
        plate_masked=mask(plate),
        entered_at=session.entered_at,
        lines=bill.lines,
        total=bill.total,
        paid=bill.paid,
        due=due,
        as_of=bill.as_of,
        prepaid_until=session.prepaid_until,
        state=_state(session, standing, due),
        methods=methods_of(context, due.currency),
        open_method=None if open_page is None else open_page.provider,
        handover=None if open_page is None else open_page.checkout_handover,
    )


def methods_of(context: ParkingContext, currency: str) -> tuple[str, ...]:
    """Return the providers that take money by hand in a currency, the usual one first."""
    able = [
        name
        for name, provider in context.providers.items()
        if provider.traits.has_checkout
        and (not provider.traits.currencies or currency in provider.traits.currencies)
    ]
    return tuple(sorted(able, key=lambda name: name != context.checkout_provider))


async def start(
    context: ParkingContext, token: str, method: str | None = None, visitor: Visitor = ANYONE
) -> str:
    """Return the address of a payment page for the bill; again, the same page.

    Where a page of another provider, device or payer is open, it is closed first: only once it
    takes no money any more, another order begins. The bill's own address is returned where its
    page hands over to the provider's app.

    Args:
        context: The domain's surroundings.
        token: Of the bill.
        method: The provider to pay with; None for the one whose page is open, or the usual one.
        visitor: Who has the bill's page open.

    Raises:
        BillUnknownError: the token is not one of ours.
        NothingDueError: the bill is paid, or nothing is due yet.
        PayerUnknownError: the provider's app has to tell first whose it is.
        PaymentInProgressError: the driver's account is being charged for it, or the page that is
            open cannot be closed now.
        PaymentUnavailableError: the provider opened no page.
    """
    operator_id, session_id = read_pay_token(context.vault, token)
    return await open_page(context, operator_id, session_id, method, visitor)


async def open_page(
    context: ParkingContext,
    operator_id: UUID,
    session_id: UUID,
    method: str | None = None,
    visitor: Visitor = ANYONE,
) -> str:
    """Return a provider's payment page for what a stay owes now; errors as in `start`."""

    async def begin(method: str | None) -> PaymentAttempt:
        return await _begin(context, operator_id, session_id, method, visitor)

    address = pay_url(context, operator_id, session_id)
    return await _open(context, begin, address, method, visitor)


async def _open(
    context: ParkingContext, begin: _Begin, return_url: str, method: str | None, visitor: Visitor
) -> str:
    if method is not None:
        # Whoever has to be asked who pays is asked before another page is closed.
        page_for(context, method, visitor)
    for _ in range(SWITCHES_MAX):
        attempt = await begin(method)
        if method in {None, attempt.provider} and _is_open_for(context, attempt, visitor):
            return await _page(context, attempt, return_url, visitor)
        method = method or attempt.provider
        await _give_up(context, attempt)
    raise PaymentInProgressError("bill: it is being paid in another way just now")


def _is_open_for(context: ParkingContext, attempt: PaymentAttempt, visitor: Visitor) -> bool:
    until = attempt.checkout_until
    is_over = until is not None and context.clock.now() >= until
    return not is_over and attempt.checkout_for == page_for(context, attempt.provider, visitor)


async def _give_up(context: ParkingContext, attempt: PaymentAttempt) -> None:
    try:
        state = await settlement.close(context, attempt.operator_id, attempt.id)
    except ProviderMissingError as error:
        raise PaymentInProgressError("bill: another payment page is open") from error
    if state == AttemptState.SUCCEEDED:
        raise NothingDueError("bill: it was paid just now")
    if state != AttemptState.FAILED:
        raise PaymentInProgressError("bill: the page that was opened before does not close yet")


async def open_bill_page(
    context: ParkingContext,
    operator_id: UUID,
    bill_id: UUID,
    return_url: str,
    visitor: Visitor = ANYONE,
) -> str:
    """Return the provider's payment page for one unpaid bill; errors as in `start`."""

    async def begin(method: str | None) -> PaymentAttempt:
        async with context.database.begin() as unit:
            seen = await repository.find_bill(unit, operator_id, bill_id)
            if seen is not None and seen.session_id is not None:
                # Whoever takes a stay's bills back holds the stay, and no bill of it.
                await _lock_session(unit, operator_id, seen.session_id)
            locked = await repository.lock_bill(unit, operator_id, bill_id)
            return await _begin_for(context, unit, locked, method, visitor)

    return await _open(context, begin, return_url, None, visitor)


async def _page(
    context: ParkingContext, attempt: PaymentAttempt, return_url: str, visitor: Visitor
) -> str:
    operator_id = attempt.operator_id
    if attempt.checkout_url is not None:
        return attempt.checkout_url
    async with context.database.begin() as unit:
        description = await settlement.describe_attempt(unit, attempt)
    provider = context.provider(attempt.provider)
    order = CheckoutOrder(
        number=attempt.number,
        amount=Money(attempt.amount_minor, attempt.currency),
        description=description,
        return_url=return_url,
        sent_at=attempt.sent_at,
        device=device_of(provider, visitor),
        payer_id=visitor.payer_id,
        payer_address=visitor.address,
    )
    try:
        page = await provider.start_checkout(order)
    except ProviderUnavailableError as error:
        # The order may exist: the attempt stands, and the same number is used next time.
        raise PaymentUnavailableError("the payment page does not answer; try again") from error
    except ProviderRefusedError as error:
        async with context.database.begin() as unit:
            stored = await repository.find_attempt(unit, operator_id, attempt.id)
        # An order of an earlier try may stand: only closing it says that it takes no money.
        await settlement.close(context, operator_id, attempt.id)
        if stored is not None and stored.state not in LIVE_STATES:
            # It was closed before the provider heard of it, and so refused.
            raise PaymentInProgressError(_CHOSEN_MEANWHILE) from error
        raise PaymentUnavailableError("the provider refused the payment; try again") from error
    async with context.database.begin() as unit:
        stored = await repository.lock_attempt(unit, operator_id, attempt.id)
        is_live = stored is not None and stored.state in LIVE_STATES
        if stored is not None and is_live:
            stored.checkout_url = page.url
            stored.checkout_until = page.url_until
            stored.checkout_handover = None if page.handover is None else dict(page.handover)
            stored.provider_reference = page.reference or stored.provider_reference
    if not is_live:
        # It was closed while it opened: nobody gets to see it, and it is closed once more.
        await provider.close(payments.sent_order(attempt))
        raise PaymentInProgressError(_CHOSEN_MEANWHILE)
    return page.url


def opens(url: str) -> bool:
    """Return whether a browser opens it; anything else is what an app reads from a code."""
    return url.startswith(("https://", "http://"))


def mask(plate: str) -> str:
    """Return the plate's two ends with dots between."""
    hidden = "•" * max(len(plate) - 2 * _SHOWN_AT_EACH_END, 1)
    return plate[:_SHOWN_AT_EACH_END] + hidden + plate[-_SHOWN_AT_EACH_END:]


async def _begin(
    context: ParkingContext,
    operator_id: UUID,
    session_id: UUID,
    method: str | None,
    visitor: Visitor,
) -> PaymentAttempt:
    async with context.database.begin() as unit:
        session = await _lock_session(unit, operator_id, session_id)
        bill = await _standing(unit, session)
        if bill is None and session.left_at is None:
            live = await live_bill.compute(unit, session, unit.now())
            if live.due:
                bill = await current_bill(unit, session, live, session.exit_presentation_id)
        if bill is None:
            raise NothingDueError("bill: nothing is due")
        locked = await repository.lock_bill(unit, operator_id, bill.id)
        return await _begin_for(context, unit, locked, method, visitor)


async def _begin_for(
    context: ParkingContext,
    unit: UnitOfWork,
    locked: Bill | None,
    method: str | None,
    visitor: Visitor,
) -> PaymentAttempt:
    if locked is None or locked.state not in UNPAID_STATES:
        raise NothingDueError("bill: it is paid")
    if locked.live_attempt_id is not None:
        return await _live_checkout(unit, locked, locked.live_attempt_id)
    able = methods_of(context, locked.currency)
    if not able:
        raise PaymentUnavailableError("no payment provider is set up here; call staff")
    if method is not None and method not in able:
        raise InvalidInputError("provider", f"one of {', '.join(able)}")
    name = method or able[0]
    meant_for = page_for(context, name, visitor)
    attempt = await payments.begin_attempt(unit, locked, provider=name)
    if attempt is None:
        raise PaymentUnavailableError("bill: too many payments of it failed; call staff")
    attempt.checkout_for = meant_for
    return attempt


async def _live_checkout(unit: UnitOfWork, bill: Bill, attempt_id: UUID) -> PaymentAttempt:
    attempt = await repository.find_attempt(unit, bill.operator_id, attempt_id)
    if attempt is None or attempt.kind != AttemptKind.CHECKOUT:
        raise PaymentInProgressError("bill: your account is being charged for it")
    return attempt


async def _open_page(unit: UnitOfWork, standing: Bill | None) -> PaymentAttempt | None:
    if standing is None or standing.live_attempt_id is None:
        return None
    live = await repository.find_attempt(unit, standing.operator_id, standing.live_attempt_id)
    return None if live is None or live.kind != AttemptKind.CHECKOUT else live


async def _standing(unit: UnitOfWork, session: Session) -> Bill | None:
    """Return the bill that waits for money.

    While the car stands at an exit, or after it left, the amount is fixed; before that the bill
    ticks on, unless somebody is paying it now.
    """
    bills = await repository.find_bills(unit, session.operator_id, session.id)
    waiting = [bill for bill in bills if bill.state != BillState.PAID]
    # What a dispute has left owed opens no gate: what is due here comes first.
    unpaid = min(waiting, key=lambda bill: bill.state != BillState.ISSUED, default=None)
    if unpaid is None:
        return None
    if unpaid.live_attempt_id is not None or session.left_at is not None:
        return unpaid
    exit_id = session.exit_presentation_id
    standing = (
        None
        if exit_id is None
        else await lanes.find_presentation(unit, session.operator_id, exit_id)
    )
    return unpaid if standing is not None and standing.cleared_at is None else None


async def _lock_session(unit: UnitOfWork, operator_id: UUID, session_id: UUID) -> Session:
    session = await sessions.lock_session(unit, operator_id, session_id)
    if session is None:
        raise BillUnknownError("token: expected the address on the lane's display")
    return session


def _state(session: Session, standing: Bill | None, due: Money) -> PayState:
    if standing is not None and standing.live_attempt_id is not None:
        return PayState.IN_PROGRESS
    if due:
        return PayState.DUE
    return PayState.LEFT if session.left_at is not None else PayState.PAID
