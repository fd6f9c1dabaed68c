"""A story: acts chosen for what is interesting now, and every promise checked after each."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.money.acts import Acts
from tests.money.coupons import CouponActs, define
from tests.money.debts import DebtActs
from tests.money.dice import Dice
from tests.money.invariants import Inspector
from tests.money.look import Look, look
from tests.money.town import Town

PLATES = ("京A88731", "沪B12345", "粤C70707", "京D10001", "苏E20002")
RECOVERY_ROUNDS_MAX = 14
# With fewer cars inside, or fewer permissions, most acts would have nothing to act on.
INSIDE_MIN = 4
MANDATES_MIN = 3
# How much more often an act comes that somebody wants to see.
FAVOUR = 12

# At least one of each has a payment page. Every provider at once would only slow a story down.
TROUPES = (
    ("acquirer", "wechat", "alipay"),
    ("stripe", "etc", "acquirer"),
    ("wechat", "stripe", "etc"),
    ("alipay", "acquirer", "stripe"),
)

Act = Callable[[Look], Awaitable[None]]


def providers_of(seed: int) -> tuple[str, ...]:
    """Return which providers a story has."""
    return TROUPES[seed % len(TROUPES)]


@dataclass(slots=True)
class Told:
    """What happened in stories: how often each act came, and what became of it."""

    steps: Counter[str] = field(default_factory=Counter[str])
    refused: int = 0
    deaths: int = 0

    def __str__(self) -> str:
        counts = ", ".join(f"{name} {count}" for name, count in self.steps.most_common())
        total = sum(self.steps.values())
        return f"{total} steps: {counts}; {self.refused} refusals, {self.deaths} deaths"


class Story:
    """One town, one run of acts; those whose name is among `favoured` come more often."""

    def __init__(
        self, town: Town, dice: Dice, told: Told, favoured: frozenset[str] = frozenset()
    ) -> None:
        self._town = town
        self._dice = dice
        self._told = told
        self._favoured = favoured
        self._inspector = Inspector(town)

    async def tell(self, steps: int) -> None:
        """Play so many acts, then recover; every promise is checked all along."""
        acts = await self._cast()
        try:
            for _ in range(steps):
                await self._step(acts)
            await self._recover(acts)
        finally:
            self._told.refused += acts.refused
            self._told.deaths += acts.deaths

    async def _cast(self) -> Acts:
        """Drivers with one, two and no permissions; the other cars are nobody's."""
        town = self._town
        one, two, other = [await town.add_driver(plate) for plate in PLATES[:3]]
        acts = Acts(town, self._dice, dict(zip(PLATES, (one, two, other, None, None), strict=True)))
        await define(town)
        await town.permit(one, town.houses[0])
        for house in town.houses:
            await town.permit(two, house)
        return acts

    async def _step(self, acts: Acts) -> None:
        self._town.wait(seconds=2)
        seen = await look(self._town)
        act = self._dice.weigh(self._interesting(acts, seen))
        self._told.steps[act.__name__] += 1
        await act(seen)
        await self._town.settle_post()
        await self._inspector.inspect()

    def _interesting(self, acts: Acts, seen: Look) -> list[tuple[Act, int]]:
        """Return the acts that may come now, each with its weight."""
        debts = DebtActs(acts)
        coupons = CouponActs(acts)
        undelivered = any(not letter.deliveries for letter in self._town.post.letters)
        doubtful = len(seen.live) + len(seen.refunds_live)
        drivers_inside = [row for row in seen.inside if row["driver_id"]]
        ripe: list[tuple[Act, int]] = [
            (acts.enter, 12 if len(seen.inside) < INSIDE_MIN else 2),
            (acts.wait, 2),
            (acts.permit, 6 if len(seen.mandates) < MANDATES_MIN else 0),
            (acts.revoke, 1 if len(seen.mandates) > 1 else 0),
            (acts.leave, 16 if seen.inside else 0),
            (acts.look_again, 12 if seen.standing else 0),
            (acts.back_out, 1 if seen.standing else 0),
            (acts.let_out_by_hand, 3 if seen.standing else 0),
            (acts.pay_before_leaving, 6 if drivers_inside else 0),
            (acts.open_page, 4 if seen.inside or seen.owed else 0),
            (acts.pay_page, 12 if seen.pages else 0),
            (acts.refund, 6 if seen.paid else 0),
            (acts.retry_refund, 6 if seen.refunds_failed else 0),
            (acts.correct, 3 if seen.bills else 0),
            (acts.grant_coupon, 3 if seen.inside else 0),
            (acts.sweep, 10 if doubtful else 1),
            (acts.deliver, 8 if undelivered else 1 if self._town.post.letters else 0),
            (acts.deliver_all, 3 if undelivered else 0),
            (acts.forge, 1 if self._town.post.letters else 0),
            (debts.collect, 6 if seen.owed else 0),
            (debts.pay_elsewhere, 5 if seen.owed else 0),
            (debts.pay_at_the_desk, 2 if seen.owed else 0),
            (debts.give_up, 1 if seen.owed else 0),
            (debts.charge_back, 2 if seen.chargeable else 0),
            (debts.let_out, 2 if seen.standing else 0),
            (coupons.claim_coupon, 5),
            (coupons.settle_coupons, 5),
            (coupons.expire_coupon, 1),
            (coupons.revoke_coupon, 1),
        ]
        return [
            (act, weight * (FAVOUR if act.__name__ in self._favoured else 1))
            for act, weight in ripe
            if weight
        ]

    async def _recover(self, acts: Acts) -> None:
        """End every fault, and let time and the janitors do what they promise."""
        for house in self._town.houses:
            house.unsteady.trouble = None
            await house.behave()
        for _ in range(RECOVERY_ROUNDS_MAX):
            self._town.wait(minutes=10)
            await self._town.settle_post()
            await acts.run_janitors()
            seen = await look(self._town)
            if not seen.live and not seen.refunds_live:
                break
        await self._inspector.inspect_recovered()
