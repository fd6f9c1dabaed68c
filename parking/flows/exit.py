"""A car at an exit: find its session, price it, and open or say what is missing.

Every function is one transaction's worth. The provider is called between them, by `flows.lane`.
"""

from collections.abc import Collection
from datetime import timedelta
from time import perf_counter
from uuid import UUID

from parking.disputes import service as disputes
from parking.events.types import EventType
from parking.flows import display
from parking.flows.adoption import adopt
from parking.flows.bills import live_bill
from parking.flows.bills.billing import current_bill
from parking.flows.context import ParkingContext
from parking.flows.entry import CONFIDENCE_MIN, PLATE_UNSURE, lane_code
from parking.flows.lane_types import Action, Decision, Lane
from parking.flows.pay_link import pay_url
from parking.flows.payments import choosing, debts
from parking.flows.payments.charging import new_charge
from parking.flows.payments.settlement import Settled
from parking.flows.payments.step import Errand, ProviderCall, Step, opened
from parking.flows.reentry import find_doubt, take_back
from parking.flows.release import release
from parking.kit.database import UnitOfWork
from parking.kit.money import Money
from parking.lanes import repository as lane_rows
from parking.lanes import service as lanes
from parking.lanes.models import GateCommand, Presentation
from parking.payments import repository as payment_rows
from parking.payments.choice import Occasion
from parking.payments.models import AttemptKind, AttemptState, Bill, BillState, PaymentAttempt
from parking.payments.rules import LIVE_STATES
from parking.places import service as places
from parking.plates.reads import PlateRead
from parking.sessions import service as sessions
from parking.sessions.events import tell
from parking.sessions.models import Session
from parking.sessions.rules import ReadText
from parking.tariffs import service as tariffs

NO_SESSION = "no_session"
LEAVING_ELSEWHERE = "leaving_elsewhere"
ZERO_DUE = "zero_due"
CHARGING = "charging"
PAYMENT_DUE = "payment_due"
CREDIT = "credit"
# A car that was last seen at another exit longer ago than this has left that exit unseen.
OTHER_EXIT_AGE_MAX = timedelta(minutes=10)
# The provider has answered, or was asked in vain; before that somebody is asking it now.
_ANSWERED = frozenset({AttemptState.ACCEPTED, AttemptState.UNKNOWN})


class ExitFlow:
    """The transactions of one exit decision.

    Args:
        context: The domain's surroundings.
        unit: The transaction.
        presentation: Locked.
        timings_ms: Filled by step: `match`, `price`.
        may_charge: Whether there is time left to try another mandate; if not, the display asks
            for the money, and whoever looks again goes on.
        asked: Attempts that were asked to close just now: what is still open then stays so.
    """

    def __init__(
        self,
        context: ParkingContext,
        unit: UnitOfWork,
        presentation: Presentation,
        timings_ms: dict[str, float],
        *,
        may_charge: bool = True,
        asked: Collection[UUID] = (),
    ) -> None:
        self._context = context
        self._may_charge = may_charge
        self._asked = asked
        self._unit = unit
        self._presentation = presentation
        self._timings_ms = timings_ms
        self._is_takeover = False

    async def begin(self, lane: Lane, read: PlateRead, plate_index: UUID) -> Step:
        """Decide on a presentation that has no decision yet."""
        if read.confidence < CONFIDENCE_MIN:
            return self._refuse(PLATE_UNSURE)
        started = perf_counter()
        session = await self._find_session(lane, read, plate_index)
        self._timings_ms["match"] = (perf_counter() - started) * 1000
        if session is None:
            # Another car may have left on this plate: the worker looks into it, not this gate.
            await disputes.suspect(self._unit, lane.operator_id, self._presentation.id)
            return self._refuse(NO_SESSION)
        if await self._is_leaving_elsewhere(session):
            return self._refuse(LEAVING_ELSEWHERE)
        await adopt(self._unit, session, self._presentation)
        return await self._bill_and_pay(session)

    async def go_on(self, *, is_takeover: bool) -> Step:
        """Return what to do now with a presentation that was decided on before.

        Args:
            is_takeover: Whether the process that sent an unsettled attempt is gone: then this one
                asks the provider in its place.
        """
        self._is_takeover = is_takeover
        unit, presentation = self._unit, self._presentation
        if presentation.action == Action.REFUSE or presentation.session_id is None:
            return Decision(
                Action.REFUSE,
                presentation.reason or NO_SESSION,
                None,
                display.refused(presentation.reason or NO_SESSION),
            )
        session = await sessions.lock_session(
            unit, presentation.operator_id, presentation.session_id
        )
        if session is None or session.exit_presentation_id != presentation.id:
            return self._refuse(LEAVING_ELSEWHERE)
        if presentation.action == Action.OPEN:
            return await self._open(session, presentation.reason or ZERO_DUE)
        if session.left_at is not None:
            # Its plate was shown at an entry while it stood here: the stay that began there counts.
            session = await sessions.lock_open(
                unit, session.operator_id, session.place_id, session.plate_index
            )
            if session is None:
                return self._refuse(NO_SESSION)
        await adopt(self._unit, session, self._presentation)
        return await self._bill_and_pay(session)

    async def conclude(self, settled: Settled) -> Decision | None:
        """Return the decision that a settled payment brought; None where it brought none."""
        session, command = settled.session, settled.command
        if command is None or session is None or settled.presentation is not self._presentation:
            return None
        return await self._let_out(session, command, self._presentation.reason or ZERO_DUE)

    async def _find_session(self, lane: Lane, read: PlateRead, plate_index: UUID) -> Session | None:
        exact = await sessions.lock_open(self._unit, lane.operator_id, lane.place_id, plate_index)
        if exact is not None:
            return exact
        text = ReadText(
            read.text,
            tuple(character.probability for character in read.characters),
            tuple((item.text, item.probability) for item in read.alternatives),
        )
        return await sessions.lock_near(self._unit, lane.operator_id, lane.place_id, text)

    async def _is_leaving_elsewhere(self, session: Session) -> bool:
        other_id = session.exit_presentation_id
        if other_id is None or other_id == self._presentation.id:
            return False
        other = await lane_rows.find_presentation(self._unit, session.operator_id, other_id)
        return (
            other is not None
            and other.cleared_at is None
            and other.lane_id != self._presentation.lane_id
            and self._unit.now() - other.occupied_at < OTHER_EXIT_AGE_MAX
        )

    async def _bill_and_pay(self, session: Session) -> Step:
        started = perf_counter()
        # The price of this presentation: waiting at the gate for the provider costs nothing.
        at = min(self._presentation.occupied_at, self._unit.now())
        bills = await payment_rows.find_bills(self._unit, session.operator_id, session.id)
        table = await tariffs.load(self._unit, session.operator_id, session.rate_table_id)
        live = live_bill.bill_of(session, table, bills, at)
        if not live.total:
            doubt = await find_doubt(self._unit, session, at)
            if doubt is not None and doubt.page is not None:
                return self._close(session, doubt.page)
            if doubt is not None:
                live = await take_back(self._unit, session, doubt, at)
        bill = await current_bill(self._unit, session, live, self._presentation.id, bills)
        self._timings_ms["price"] = (perf_counter() - started) * 1000
        if bill.state == BillState.PAID:
            return await self._open(session, ZERO_DUE)
        if all(bill is not known for known in bills):
            # Just issued: nobody else sees it before the commit.
            return await self._pay(session, bill)
        locked = await payment_rows.lock_bill(self._unit, bill.operator_id, bill.id)
        if locked is None or locked.state == BillState.PAID:
            return await self._open(session, ZERO_DUE)
        if locked.live_attempt_id is not None:
            return await self._wait_for(session, locked, locked.live_attempt_id, live.due)
        return await self._pay(session, locked)

    async def _pay(self, session: Session, bill: Bill) -> Step:
        attempt = None
        if self._may_charge:
            occasion = await self._occasion(session, bill)
            attempt = await choosing.begin_charge(self._context, self._unit, bill, occasion)
        if attempt is None:
            later = await self._pay_later(session, bill)
            return later or await self._ask_for_payment(session, bill)
        lanes.decide(self._unit, self._presentation, action=Action.WAIT, reason=CHARGING)
        return await new_charge(
            self._context,
            self._unit,
            attempt,
            bill,
            session=session,
            presentation=self._presentation,
        )

    async def _pay_later(self, session: Session, bill: Bill) -> Decision | None:
        """Open on the driver's credit, if the operator gives any; the bill is locked."""
        if self._presentation.cleared_at is not None:
            return None
        if not await debts.let_go(self._unit, session, bill):
            return None
        return await self._open(session, CREDIT)

    async def _occasion(self, session: Session, bill: Bill) -> Occasion:
        return await choosing.occasion_of(self._unit, bill, session=session)

    async def _wait_for(self, session: Session, bill: Bill, attempt_id: UUID, due: Money) -> Step:
        attempt = await payment_rows.find_attempt(self._unit, bill.operator_id, attempt_id)
        if attempt is not None and attempt.kind == AttemptKind.CHECKOUT:
            occasion = await self._occasion(session, bill)
            is_current = due == _amount(bill) and not await choosing.find_mandates(
                self._context, self._unit, bill, occasion
            )
            if is_current:
                # Paying it pays for this exit.
                bill.presentation_id = self._presentation.id
                return await self._ask_for_payment(session, bill)
            if self._may_charge and attempt.provider in self._context.providers:
                return self._close(session, attempt)
        elif self._is_takeover and attempt is not None and attempt.state in LIVE_STATES:
            return ProviderCall(bill.operator_id, attempt_id, Errand.ASK)
        if attempt is not None and attempt.state in _ANSWERED:
            # Nobody knows yet whether it takes the money: that is never proof, but credit is.
            later = await self._pay_later(session, bill)
            if later is not None:
                return later
        return self._wait(session, _amount(bill), session.id)

    def _close(self, session: Session, page: PaymentAttempt) -> Step:
        """Close an open page once; the car waits for one that does not close."""
        if page.id in self._asked:
            amount = Money(page.amount_minor, page.currency)
            return self._wait(session, amount, page.session_id or session.id)
        lanes.decide(self._unit, self._presentation, action=Action.WAIT, reason=CHARGING)
        return ProviderCall(page.operator_id, page.id, Errand.CLOSE)

    def _wait(self, session: Session, amount: Money, billed_session_id: UUID) -> Decision:
        lanes.decide(self._unit, self._presentation, action=Action.WAIT, reason=CHARGING)
        url = pay_url(self._context, session.operator_id, billed_session_id)
        text = display.charging(self._plate(session), amount, url)
        return Decision(Action.WAIT, CHARGING, None, text)

    async def _ask_for_payment(self, session: Session, bill: Bill) -> Decision:
        url = pay_url(self._context, session.operator_id, session.id)
        if self._presentation.action != Action.PAY:
            place = await places.require_place(self._unit, session.operator_id, session.place_id)
            payload = {
                "amount_minor": bill.total_minor,
                "currency": bill.currency,
                "pay_url": url,
                "place_name": place.name,
                "timezone": place.timezone,
            }
            tell(self._unit, session, EventType.BILL_DUE, payload)
        lanes.decide(self._unit, self._presentation, action=Action.PAY, reason=PAYMENT_DUE)
        plate = self._plate(session)
        code = await lane_code(self._unit, self._presentation, plate)
        text = display.payment_due(plate, _amount(bill), url, code)
        return Decision(Action.PAY, PAYMENT_DUE, None, text)

    async def _open(self, session: Session, reason: str) -> Decision:
        command = await release(self._unit, session, self._presentation, reason=reason)
        return await self._let_out(session, command, reason)

    async def _let_out(
        self, session: Session, command: GateCommand | None, reason: str
    ) -> Decision:
        bills = await payment_rows.find_bills(self._unit, session.operator_id, session.id)
        paid = sum((_amount(bill) for bill in bills[1:]), _amount(bills[0])) if bills else None
        plate = self._plate(session)
        code = await lane_code(self._unit, self._presentation, plate)
        unpaid = [_amount(bill) for bill in bills if bill.state != BillState.PAID]
        if reason == CREDIT and unpaid:
            return opened(command, reason, display.on_credit(plate, unpaid[-1], code))
        return opened(command, reason, display.goodbye(plate, paid, code))

    def _refuse(self, reason: str) -> Decision:
        lanes.decide(self._unit, self._presentation, action=Action.REFUSE, reason=reason)
        return Decision(Action.REFUSE, reason, None, display.refused(reason))

    def _plate(self, session: Session) -> str:
        return sessions.plate_of(self._unit, session)


class GatePayment:
    """Turns a settled payment into the lane's decision, within the transaction that settles it.

    Attributes:
        decision: Set where the gate is to open.
    """

    def __init__(
        self, context: ParkingContext, presentation_id: UUID, timings_ms: dict[str, float]
    ) -> None:
        self._context = context
        self._presentation_id = presentation_id
        self._timings_ms = timings_ms
        self.decision: Decision | None = None

    async def conclude(self, unit: UnitOfWork, settled: Settled) -> None:
        """Decide; a repetition after a conflict decides anew."""
        self.decision = None
        presentation = settled.presentation
        if presentation is not None and presentation.id == self._presentation_id:
            flow = ExitFlow(self._context, unit, presentation, self._timings_ms)
            self.decision = await flow.conclude(settled)


def _amount(bill: Bill) -> Money:
    return Money(bill.total_minor, bill.currency)
