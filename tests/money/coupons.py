"""Coupons in a story: drivers get some, lose some, and slots, budgets and the ledger add up."""

from collections.abc import Awaitable, Iterator
from datetime import timedelta
from typing import Final, Protocol
from uuid import UUID

from parking.coupons.models import CouponDefinition, DefinitionState
from parking.flows.coupons import attaching, granting, settling
from parking.kit.ids import new_id
from sesame.bench.money.promises import Broken
from tests.money.dice import Dice
from tests.money.look import Look
from tests.money.town import Town

PROMISE: Final = 11
BUDGET_MINOR: Final = 2_000
CLAIMS_MAX: Final = 6
_BOOKS: Final = """
    SELECT definition.id, definition.claims, definition.reserved_minor, definition.spent_minor,
        definition.budget_minor,
        (SELECT count(*) FROM driver_coupons AS coupon WHERE coupon.definition_id = definition.id
            AND coupon.state IN ('available', 'reserved', 'used')) AS had,
        (SELECT coalesce(sum(held_minor), 0) FROM driver_coupons AS coupon
            WHERE coupon.definition_id = definition.id) AS held_minor,
        (SELECT coalesce(sum(discount_minor), 0) FROM driver_coupons AS coupon
            WHERE coupon.definition_id = definition.id) AS discount_minor,
        (SELECT coalesce(sum(CASE WHEN debit_account = name THEN amount_minor
                ELSE -amount_minor END), 0) FROM ledger_transfers,
                (SELECT 'coupon_budget:' || definition.id AS name) AS named
            WHERE name IN (debit_account, credit_account)) AS posted_minor
    FROM coupon_definitions AS definition
"""
_DISCOUNTS: Final = """
    SELECT coupon.id, coupon.state, coupon.discount_minor, stay.id AS session_id,
        (SELECT coalesce(-sum((line->>'amount_minor')::bigint), 0)
            FROM (SELECT lines FROM bills WHERE bills.session_id = stay.id
                AND bills.state IN ('paid', 'owed', 'written_off')
                ORDER BY id DESC LIMIT 1) AS bill,
            jsonb_array_elements(bill.lines) AS line
            WHERE line->>'coupon_id' = coupon.id::text) AS billed_minor
    FROM driver_coupons AS coupon JOIN sessions AS stay ON stay.id = coupon.session_id
    WHERE coupon.state = 'used'
"""


class Stage(Protocol):
    """What the acts of coupons need of the others."""

    town: Town
    dice: Dice
    plates: dict[str, UUID | None]

    async def attempt(self, asked: Awaitable[object]) -> None:
        """Ask for something that may be refused."""
        ...


class CouponActs:
    """Claiming, expiring and revoking."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def claim_coupon(self, _look: Look) -> None:
        """A driver gets a coupon, and it becomes part of what the running stays cost."""
        town, dice = self._stage.town, self._stage.dice
        driver_id = dice.choose([one for one in self._stage.plates.values() if one is not None])
        operator_id = dice.choose(town.yards).operator_id
        [row] = await town.rows(
            "SELECT id FROM coupon_definitions WHERE operator_id = :owner", owner=operator_id
        )
        async with town.context.database.begin() as unit:
            source_id = new_id(unit.now())
            await granting.grant_coupon(
                unit, operator_id, row["id"], driver_id, source="staff", source_id=source_id
            )
        await self._stage.attempt(attaching.attach_for(town.context, operator_id, driver_id))

    async def settle_coupons(self, _look: Look) -> None:
        """The worker lets coupons follow from the bills."""
        await settling.sweep(self._stage.town.context)

    async def expire_coupon(self, _look: Look) -> None:
        """The time of a driver's coupons is over, whatever they are used for."""
        town = self._stage.town
        async with town.context.database.begin() as unit:
            now = unit.now()
        [*rows] = await town.rows("SELECT id FROM driver_coupons WHERE expires_at > :now", now=now)
        if rows:
            await town.rows(
                "UPDATE driver_coupons SET expires_at = :now WHERE id = :id RETURNING id",
                now=now,
                id=self._stage.dice.choose(rows)["id"],
            )
        await granting.sweep(town.context)

    async def revoke_coupon(self, _look: Look) -> None:
        """Staff take a coupon back."""
        town = self._stage.town
        rows = await town.rows("SELECT operator_id, id FROM driver_coupons ORDER BY id")
        if rows:
            row = self._stage.dice.choose(rows)
            asked = granting.revoke_coupon(town.context, row["operator_id"], row["id"])
            await self._stage.attempt(asked)


async def define(town: Town) -> None:
    """Let each operator give a few coupons, with a budget for not all of them."""
    async with town.context.database.begin() as unit:
        for yard in town.yards:
            unit.session.add(
                CouponDefinition(
                    operator_id=yard.operator_id,
                    id=new_id(unit.now()),
                    name="Spring",
                    kind="percent",
                    value=50,
                    amount_minor_max=700,
                    currency="CNY",
                    valid_from=unit.now(),
                    valid_until=unit.now() + timedelta(days=300),
                    driver_max=CLAIMS_MAX,
                    claims_max=CLAIMS_MAX,
                    budget_minor=BUDGET_MINOR,
                    state=DefinitionState.ACTIVE,
                    created_by="Ada",
                    created_at=unit.now(),
                )
            )


async def broken(town: Town) -> list[Broken]:
    """Return what does not add up, of what must at every moment."""
    books, discounts = await town.rows_of(_BOOKS, _DISCOUNTS)
    return [*_of_definitions(books), *_of_bills(discounts)]


def _of_definitions(books: list[dict[str, object]]) -> Iterator[Broken]:
    for row in books:
        kept = (row["claims"], row["reserved_minor"], row["spent_minor"], row["spent_minor"])
        said = (row["had"], row["held_minor"], row["discount_minor"], row["posted_minor"])
        if kept != said:
            yield Broken(PROMISE, f"definition {row['id']} says {kept}, its coupons say {said}")


def _of_bills(discounts: list[dict[str, object]]) -> Iterator[Broken]:
    for row in discounts:
        if row["discount_minor"] != row["billed_minor"]:
            yield Broken(PROMISE, f"coupon {row['id']} is used for {row['discount_minor']}: {row}")
