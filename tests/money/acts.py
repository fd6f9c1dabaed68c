"""What drivers, cars, staff and providers do in a story; each act is one step."""

from collections.abc import Awaitable
from datetime import timedelta
from typing import Final, TypeVar
from uuid import UUID

from parking.flows.coupons import settling
from parking.flows.lane_types import Lane
from parking.flows.pay_link import pay_token
from parking.flows.payments import (
    checkout,
    collection,
    cross_place,
    desk_refund,
    mandates,
    prepay,
    refunds,
    settlement,
)
from parking.flows.payments.correction import Correction, correct_stay
from parking.flows.validation import StayNamed, validate_stay
from parking.kit.errors import ParkingError
from parking.kit.money import Money
from parking.plates import service as plates_of
from tests.factories.lane_world import VAULT
from tests.money.dice import Dice
from tests.money.houses import DOUBTFUL, REFUND_SCENARIOS, SCENARIOS
from tests.money.look import Look, Row
from tests.money.meanwhile import Meanwhiles
from tests.money.post_office import Letter
from tests.money.town import COUPON, Town
from tests.money.troubles import Death, Died

FORGED_DIGITS: Final = (b"1", b"2", b"5", b"9")
CALM: Final = "calm"
KEYS: Final = ("a", "b", "c")
WAITED_MINUTES: Final = (1, 7, 20, 45, 180)
STAYED_MINUTES: Final = (45, 5, 130, 0)

_Answer = TypeVar("_Answer")


class Acts:
    """Every act; which one comes next is not decided here.

    Attributes:
        plates: Every car of the town.
        refused: How often somebody was refused something, which is an answer and no failure.
    """

    def __init__(self, town: Town, dice: Dice, plates: dict[str, UUID | None]) -> None:
        self.town = town
        self.dice = dice
        self.plates = plates
        self.refused = 0
        self.deaths = 0
        self._read = {plates_of.plate_index(VAULT, plate): plate for plate in plates}
        self._at: dict[UUID, tuple[Lane, UUID]] = {}

    # Cars.

    async def enter(self, look: Look) -> None:
        """A car comes in, at times one that never left."""
        yard = self.dice.choose(self.town.yards)
        known = {row["plate_index"] for row in look.inside if row["place_id"] == yard.place_id}
        outside = [plate for index, plate in self._read.items() if index not in known]
        again = self.dice.weigh(((False, 9), (True, 1)))
        plate = self.dice.choose(tuple(self.plates) if again or not outside else tuple(outside))
        presentation_id = await self.town.arrive(yard.entry)
        decision = await self.town.decide(yard.entry, presentation_id, plate)
        if decision.action == "open":
            await self.town.barrier(yard.entry, presentation_id, "opened", "passed")
        await self.town.clear(yard.entry, presentation_id)

    async def leave(self, look: Look) -> None:
        """A car comes to an exit, and something is wrong with the provider at that moment."""
        stay = self.dice.choose([row for row in look.inside if row["plate_index"] in self._read])
        plate = self._read[stay["plate_index"]]
        yard = next(yard for yard in self.town.yards if yard.place_id == stay["place_id"])
        lane = self.dice.choose(yard.exits)
        await self._free(lane)
        self.town.wait(minutes=self.dice.choose(STAYED_MINUTES))
        await self.trouble(look, stay["driver_id"], "charge")
        presentation_id = await self.town.arrive(lane)
        self._at[lane.lane_id] = (lane, presentation_id)
        decided = await self._alive(self.town.decide(lane, presentation_id, plate))
        if decided is not None and decided.action == "open":
            await self._pass(lane, presentation_id)

    async def look_again(self, look: Look) -> None:
        """The bridge looks again at a car that waits: after a notice, or in place of a dead one."""
        row = self.dice.choose(look.standing)
        known = self._at.get(row["lane_id"])
        if known is None or known[1] != row["id"]:
            return
        lane, presentation_id = known
        if self.dice.choose((True, False)):
            decided = await self._alive(self.town.gate.resume(lane, presentation_id))
            is_open = decided is not None and decided.action == "open"
        else:
            is_open = bool(
                await self._alive(self.town.gate.pending_commands(lane, presentation_id))
            )
        if is_open:
            await self._pass(lane, presentation_id)

    async def back_out(self, look: Look) -> None:
        """A car that waits gives up and drives back."""
        row = self.dice.choose(look.standing)
        known = self._at.pop(row["lane_id"], None)
        if known is not None:
            await self.town.barrier(*known, "backed_out")
            await self.town.clear(*known)

    async def let_out_by_hand(self, look: Look) -> None:
        """Somebody at the gate lets a car out that has not paid."""
        row = self.dice.choose(look.standing)
        known = self._at.pop(row["lane_id"], None)
        if known is not None:
            await self.town.barrier(*known, "manual_open", "passed")
            await self.town.clear(*known)

    # Drivers.

    async def pay_before_leaving(self, look: Look) -> None:
        """A driver pays on the phone."""
        session = self.dice.choose([row for row in look.inside if row["driver_id"]])
        await self.trouble(look, session["driver_id"], "charge")
        await self.attempt(prepay.prepay(self.town.context, session["driver_id"], session["id"]))

    async def open_page(self, look: Look) -> None:
        """Somebody scans the code, at times twice at once."""
        sessions = {row["id"]: row["operator_id"] for row in look.inside}
        sessions |= {row["session_id"]: row["operator_id"] for row in look.owed}
        session_id = self.dice.choose(tuple(sessions))
        token = pay_token(self.town.context.vault, sessions[session_id], session_id)
        await self.trouble(look, None, "checkout")
        for _ in range(self.dice.choose((1, 2))):
            await self.attempt(checkout.start(self.town.context, token))

    async def pay_page(self, look: Look) -> None:
        """Somebody pays on an open page."""
        attempt = self.dice.choose(look.pages)
        house = self.town.house(attempt["provider"])
        await house.pay(attempt["checkout_url"])

    async def revoke(self, look: Look) -> None:
        """A driver ends a permission."""
        mandate = self.dice.choose(look.mandates)
        await self.attempt(mandates.revoke(self.town.context, mandate["driver_id"], mandate["id"]))

    async def permit(self, _look: Look) -> None:
        """A driver allows another account to be charged."""
        driver_id = self.dice.choose([one for one in self.plates.values() if one is not None])
        house = self.dice.choose(self.town.houses)
        await self.attempt(self.town.permit(driver_id, house))

    # Staff.

    async def refund(self, look: Look) -> None:
        """Staff give money back, at times more than there is, at times twice."""
        bill = self.dice.choose(look.paid)
        await self._trouble_at_refund(look, bill)
        total = bill["total_minor"]
        amount = Money(self.dice.choose((100, total, total + 1, total // 2 or 1)), "CNY")
        key = self.dice.choose(KEYS)
        for _ in range(self.dice.choose((1, 1, 2))):
            await self.attempt(
                desk_refund.refund_bill(
                    self.town.context,
                    bill["operator_id"],
                    bill["id"],
                    amount,
                    key=key,
                    reason="as agreed",
                    by="Ada",
                )
            )

    async def retry_refund(self, look: Look) -> None:
        """Staff send a failed refund again."""
        refund = self.dice.choose(look.refunds_failed)
        await self.attempt(
            desk_refund.retry(self.town.context, refund["operator_id"], refund["id"], by="Ada")
        )

    async def correct(self, look: Look) -> None:
        """Staff correct a stay: it was free, or began later."""
        sessions = {row["session_id"]: row["operator_id"] for row in look.bills}
        session_id = self.dice.choose([one for one in sessions if one is not None])
        operator_id = sessions[session_id]
        [stay] = await self.town.rows(
            "SELECT entered_at FROM sessions WHERE operator_id = :operator AND id = :id",
            operator=operator_id,
            id=session_id,
        )
        later_at = stay["entered_at"] + timedelta(minutes=self.dice.choose((25, 5)))
        wanted = self.dice.choose((Correction(entered_at=later_at), Correction(waive=True)))
        await self.attempt(
            correct_stay(
                self.town.context,
                operator_id,
                session_id,
                wanted,
                correction_id=self.dice.choose(KEYS),
                by="Ada",
                reason="as agreed",
            )
        )

    async def grant_coupon(self, look: Look) -> None:
        """A shop validates a stay, at times twice."""
        session = self.dice.choose(look.inside)
        for _ in range(self.dice.choose((1, 2))):
            await self.attempt(
                validate_stay(
                    self.town.context,
                    session["operator_id"],
                    StayNamed(session_id=session["id"]),
                    validation=COUPON,
                    by="Cinema",
                )
            )

    # Time, the janitors, and the post.

    async def sweep(self, _look: Look) -> None:
        """The job worker's periodic tasks run."""
        await self.run_janitors()

    async def run_janitors(self) -> None:
        """Ask about everything whose time has come."""
        context = self.town.context
        for janitor in (settlement, refunds, mandates, collection, cross_place, settling):
            await self._alive(janitor.sweep(context))

    async def wait(self, _look: Look) -> None:
        """Time passes."""
        self.town.wait(minutes=self.dice.choose(WAITED_MINUTES))
        for house in self.town.houses:
            await house.wake()

    async def deliver(self, _look: Look) -> None:
        """A notice arrives that was held back: once or twice, and in any order."""
        letter = self.dice.choose(self.undelivered() or self.town.post.letters)
        for _ in range(self.dice.choose((1, 2))):
            await self.town.deliver(letter)

    async def deliver_all(self, _look: Look) -> None:
        """Everything that was held back arrives, the newest first."""
        for letter in reversed(self.undelivered()):
            await self.town.deliver(letter)

    async def forge(self, _look: Look) -> None:
        """Somebody changes a notice on its way: it is refused, and nothing moves."""
        letter = self.dice.choose(self.town.post.letters)
        digits = [index for index, byte in enumerate(letter.body) if chr(byte).isdigit()]
        if not digits:
            return
        index = self.dice.choose(digits)
        other = next(digit for digit in FORGED_DIGITS if letter.body[index : index + 1] != digit)
        forged = letter.body[:index] + other + letter.body[index + 1 :]
        before = await self.town.everything()
        status = await self.town.deliver(Letter(letter.provider, letter.headers, forged, True))
        assert status >= 400, f"a forged notice was answered {status}"
        assert await self.town.everything() == before, "a forged notice moved something"

    # What the acts share.

    def undelivered(self) -> list[Letter]:
        """Return the notices that were held back so far."""
        return [letter for letter in self.town.post.letters if not letter.deliveries]

    async def attempt(self, asked: Awaitable[object]) -> None:
        """Ask for something that may be refused."""
        try:
            await asked
        except ParkingError:
            self.refused += 1
        except Died:
            self.deaths += 1

    async def _alive(self, work: Awaitable[_Answer]) -> _Answer | None:
        try:
            return await work
        except Died:
            self.deaths += 1
            return None

    async def _pass(self, lane: Lane, presentation_id: UUID) -> None:
        """Drive out, unless the driver is asleep."""
        if self.dice.choose((True, True, True, False)):
            await self.town.barrier(lane, presentation_id, "opened", "passed")
            await self.town.clear(lane, presentation_id)
            self._at.pop(lane.lane_id, None)

    async def _free(self, lane: Lane) -> None:
        """Whoever stands there drives back: a lane holds one car."""
        known = self._at.pop(lane.lane_id, None)
        if known is not None:
            await self.town.barrier(*known, "backed_out")
            await self.town.clear(*known)

    async def trouble(self, look: Look, driver_id: UUID | None, operation: str) -> None:
        """Let something be wrong with the driver's provider, or with us, at the next call."""
        names = [row["provider"] for row in look.mandates_of(driver_id)]
        house = self.town.house(self.dice.choose(names)) if names else self.town.houses[0]
        kind = self.dice.weigh(((CALM, 2), ("scenario", 5), ("death", 2), ("meanwhile", 3)))
        if kind == "scenario":
            scenario = self.dice.choose((*SCENARIOS, *DOUBTFUL, *DOUBTFUL))
            await house.play(scenario, operation)
            if scenario in DOUBTFUL and self.dice.choose((True, False)):
                # The lane asks at once: it stays doubtful where that fails as well.
                await house.play("lose_answer_before", "query")
        elif kind == "death":
            house.unsteady.trouble = self.dice.choose(tuple(Death))
        elif kind == "meanwhile":
            house.unsteady.trouble = self.dice.choose(
                Meanwhiles(self, look, house, driver_id).all()
            )

    async def _trouble_at_refund(self, look: Look, bill: Row) -> None:
        attempt = next((row for row in look.attempts if row["id"] == bill["paid_attempt_id"]), None)
        if attempt is None or attempt["provider"] not in self.town.context.providers:
            # It was paid in cash, or by a partner.
            return
        house = self.town.house(attempt["provider"])
        kind = self.dice.choose((CALM, "scenario", "scenario", "death"))
        if kind == "scenario":
            await house.play(self.dice.choose((*REFUND_SCENARIOS, *DOUBTFUL)), "refund")
        elif kind == "death":
            house.unsteady.trouble = self.dice.choose(tuple(Death))
