"""What is left of a driver after the account is deleted, table by table.

The driver's id stays in the records that tax law wants, as a pseudonym: nothing leads from it to a
number, a plate, a device or a Firebase account any more. docs/identity.md has the whole list.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, text

from parking.disputes.service import COMMENT_CONTEXT
from parking.drivers.events import ACCOUNT_DELETED
from parking.flows.coupons.settling import give_up_all
from parking.kit.database import UnitOfWork
from parking.sessions.service import FORGOTTEN

# A plate leads nowhere any more; the stay and its bills remain.
_FORGET_STAYS: Final = text("""
    UPDATE sessions SET plate_index = gen_random_uuid(), plate_sealed = :forgotten, driver_id = NULL
    FROM driver_stays
    WHERE driver_stays.driver_id = :driver_id
        AND sessions.operator_id = driver_stays.operator_id
        AND sessions.id = driver_stays.session_id
""")
_FORGET_READS: Final = text("""
    DELETE FROM observations USING driver_stays, sessions
    WHERE driver_stays.driver_id = :driver_id
        AND sessions.operator_id = driver_stays.operator_id
        AND sessions.id = driver_stays.session_id
        AND observations.operator_id = sessions.operator_id
        AND observations.presentation_id
            IN (sessions.entry_presentation_id, sessions.exit_presentation_id)
""")
_EMPTY_COMMENTS: Final = text("""
    UPDATE disputes SET comment_sealed = :comment FROM driver_disputes
    WHERE driver_disputes.driver_id = :driver_id
        AND disputes.operator_id = driver_disputes.operator_id
        AND disputes.id = driver_disputes.dispute_id
""")
_FORGET_PASSES: Final = text("""
    DELETE FROM right_plates USING driver_rights
    WHERE driver_rights.driver_id = :driver_id
        AND right_plates.operator_id = driver_rights.operator_id
        AND right_plates.right_id = driver_rights.right_id
""")
# While the provider does not know yet that it ended, the plate is needed to tell it.
_FORGET_MANDATES: Final = text("""
    UPDATE mandates SET plate_index = NULL, plate_sealed = NULL, payer_hint = NULL,
        confirmation_url_sealed = NULL
    WHERE driver_id = :driver_id AND cancel_due_at IS NULL
""")
# How often drivers come is counted without their names.
_FORGET_RESERVATIONS: Final = text(
    "UPDATE reservations SET driver_id = NULL WHERE driver_id = :driver_id"
)
_NUMBERS: Final = text("SELECT phone_index FROM phone_numbers WHERE driver_id = :driver_id")
# What a plate did since it became another driver's is that driver's, and the operator's.
_PLATES: Final = text("""
    SELECT DISTINCT plate_index FROM driver_plates WHERE driver_id = :driver_id AND NOT EXISTS (
        SELECT FROM plate_bindings
        WHERE plate_bindings.plate_index = driver_plates.plate_index
            AND plate_bindings.driver_id <> :driver_id AND plate_bindings.unbound_at IS NULL
    )
""")
_BINDINGS: Final = text("""
    DELETE FROM plate_bindings USING driver_plates
    WHERE driver_plates.driver_id = :driver_id AND plate_bindings.driver_id = :driver_id
        AND plate_bindings.plate_index = driver_plates.plate_index
""")
_OF_NUMBERS: Final = text("DELETE FROM sign_in_codes WHERE phone_index IN :indexes").bindparams(
    bindparam("indexes", expanding=True)
)
_OF_PLATES: Final = tuple(
    text(sql).bindparams(bindparam("indexes", expanding=True))
    for sql in (
        "DELETE FROM lane_codes WHERE plate_index IN :indexes",
        "DELETE FROM allowance_uses WHERE plate_index IN :indexes",
        "DELETE FROM departures WHERE plate_index IN :indexes",
        # Of a pending one a stay is still to be made, which is not the driver's: theirs keep the
        # account.
        """
        UPDATE offline_passages SET plate_index = NULL
        WHERE plate_index IN :indexes AND state <> 'pending'
        """,
    )
)
# Nobody is left to be told of the rest. That the account is gone is told first, and swept later.
_EVENTS: Final = text("""
    DELETE FROM outbox
    WHERE owner_id = :driver_id AND (type <> :deleted OR done_at IS NOT NULL)
""")
# Those that others refer to come after them; the account itself is last.
_LISTS: Final = (
    # Before what rests on them: whoever writes such a thing holds the consent.
    "driver_consents",
    "consent_changes",
    "habits",
    "habit_resets",
    "audience_places",
    "audience_members",
    "campaign_sends",
    "campaign_test_drivers",
    "driver_coupons",
    "coupon_tries",
    "binding_claims",
    "licence_pictures",
    "driver_plates",
    "phone_numbers",
    "firebase_accounts",
    "deliveries",
    "devices",
    "sign_ins",
    "notices",
    "notice_books",
    "space_offers",
    "offer_books",
    "driver_stays",
    "driver_disputes",
    "driver_invoices",
    "driver_rights",
    "buyer_profiles",
    "credit_accounts",
    "mandate_uses",
    "partner_payment_choices",
    "stay_announcements",
)


async def erase(unit: UnitOfWork, driver_id: UUID) -> None:
    """Erase what belongs to the driver alone, and forget them elsewhere; again changes nothing."""
    values = {"driver_id": driver_id}
    await _erase_codes(unit, driver_id)
    # Before the lists that lead to them go.
    await unit.run(_FORGET_READS, values)
    await unit.run(_FORGET_STAYS, {**values, "forgotten": FORGOTTEN})
    comment = unit.vault.seal("", context=COMMENT_CONTEXT)
    await unit.run(_EMPTY_COMMENTS, {**values, "comment": comment})
    await unit.run(_FORGET_PASSES, values)
    await unit.run(_FORGET_MANDATES, values)
    await unit.run(_FORGET_RESERVATIONS, values)
    await _erase_plates(unit, driver_id)
    await give_up_all(unit, driver_id)
    for table in _LISTS:
        await unit.run(text(f"DELETE FROM {table} WHERE driver_id = :driver_id"), values)  # noqa: S608 - our own names
    await unit.run(text("DELETE FROM idempotency_keys WHERE actor_id = :driver_id"), values)
    await unit.run(_EVENTS, {**values, "deleted": ACCOUNT_DELETED})
    await unit.run(text("DELETE FROM drivers WHERE id = :driver_id"), values)


async def _erase_codes(unit: UnitOfWork, driver_id: UUID) -> None:
    indexes = await _indexes(unit, _NUMBERS, driver_id)
    if indexes:
        await unit.run(_OF_NUMBERS, {"indexes": indexes})


async def _erase_plates(unit: UnitOfWork, driver_id: UUID) -> None:
    await unit.run(_BINDINGS, {"driver_id": driver_id})
    indexes = await _indexes(unit, _PLATES, driver_id)
    for statement in _OF_PLATES if indexes else ():
        await unit.run(statement, {"indexes": indexes})


async def _indexes(unit: UnitOfWork, statement: object, driver_id: UUID) -> Sequence[UUID]:
    rows = await unit.run(statement, {"driver_id": driver_id})  # pyright: ignore[reportArgumentType]
    return [row[0] for row in rows]
