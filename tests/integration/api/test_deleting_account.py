"""Deleting an account: what keeps it, what is left, and who is faster."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from parking.drivers import account_rows, stays
from parking.drivers.codes import phone_index
from parking.flows.accounts import deletion
from parking.flows.accounts.erasure import erase
from parking.flows.accounts.obstacles import DeletionObstacle
from parking.kit.database import UnitOfWork
from parking.kit.ids import new_id
from parking.payments.port import AgreementStatus
from parking.plates.service import list_plates, plate_index, unbind_plate
from tests.factories.api import ApiWorld
from tests.factories.blocked import until_blocked
from tests.factories.bound_plates import bind_plate
from tests.factories.lane_world import PLATE
from tests.integration.api.test_account import REGISTER, confirm, is_let_in, only
from tests.integration.api.test_sign_in import PHONE, REFRESH, sign_in_fully
from tests.integration.flows.test_contested_plates import claim, prove

DELETE = """mutation { deleteAccount {
  __typename ... on AccountDeleted { deletedAt }
  ... on Refused { code message confirmationPurpose } } }"""
OBSTACLES = "{ viewer { deletionObstacles } }"
# What tax law asks for, and the permissions that payments name.
PSEUDONYM = {
    "bills",
    "ledger_transfers",
    "mandate_consents",
    "mandates",
    "payment_attempts",
    "provider_orders",
}
UNSETTLED = {
    DeletionObstacle.AMOUNT_OWED: """
        INSERT INTO owed_bills (operator_id, id, session_id, place_id, plate_index, driver_id,
            amount_minor, currency, owed_at, tries, is_contested)
        SELECT operator_id, id, session_id, place_id, id, driver_id, 100, 'EUR', now(), 0, false
        FROM bills
    """,
    DeletionObstacle.PAYMENT_IN_PROGRESS: "UPDATE payment_attempts SET state = 'unknown'",
    DeletionObstacle.DISPUTE_OPEN: """
        INSERT INTO driver_disputes (driver_id, dispute_id, operator_id, bill_id, line_index,
            is_automatic, opened_at)
        SELECT driver_id, id, operator_id, id, -1, false, now() FROM bills
    """,
}
REMEMBERED = {"deleted_accounts", "outbox"}


class Account:
    """A driver who has used all of it."""

    def __init__(self, api: ApiWorld, signed_in: dict[str, Any], driver_id: UUID) -> None:
        self.api = api
        self.signed_in = signed_in
        self.token: str = signed_in["accessToken"]
        self.driver_id = driver_id

    async def delete(self) -> dict[str, Any]:
        return await only(self.api, DELETE, self.token)


@pytest.fixture
async def account(api: ApiWorld) -> Account:
    signed_in = await sign_in_fully(api)
    token = signed_in["accessToken"]
    driver_id = api.tokens.verify_driver(token).driver_id
    async with api.lanes.context.database.begin() as unit:
        bind_plate(unit, driver_id, PLATE)
    target = {"kind": "FID", "target": "the-phone", "platform": "ios"}
    await only(api, REGISTER, token, input=target)
    await api.lanes.permit(driver_id)
    return Account(api, signed_in, driver_id)


async def stay(api: ApiWorld, minutes: int = 30) -> None:
    await api.lanes.drive_in(PLATE)
    api.lanes.wait(minutes=minutes)
    assert (await api.lanes.drive_out(PLATE)).reason == "paid"


async def tables_with(api: ApiWorld, text: str) -> set[str]:
    """Return every table of which a row has a text anywhere."""
    tables = await api.lanes.rows(
        "SELECT relname AS name FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
        " AND relnamespace = 'public'::regnamespace"
    )
    found: set[str] = set()
    for table in (row["name"] for row in tables):
        sql = f"SELECT count(*) AS n FROM {table} AS t WHERE t::text LIKE '%{text}%'"  # noqa: S608
        if (await api.lanes.rows(sql))[0]["n"]:
            found.add(table)
    return found


async def test_nothing_that_is_left_leads_to_the_driver(account: Account) -> None:
    api, vault = account.api, account.api.lanes.context.vault
    await stay(api)
    bills = await api.lanes.rows("SELECT id, total_minor, state FROM bills")
    ledger = await api.lanes.rows("SELECT * FROM ledger_transfers ORDER BY id")
    names = {
        "phone": str(phone_index(vault, PHONE)),
        "plate": str(plate_index(vault, PLATE)),
        "target": "the-phone",
    }
    assert "phone_numbers" in await tables_with(api, names["phone"])
    assert {"sessions", "observations", "driver_plates"} <= await tables_with(api, names["plate"])
    account.token = await api.token_of(account.driver_id)
    api.lanes.wait(minutes=5)
    await confirm(api, account.token, "DELETE_ACCOUNT")
    assert await account.delete() == {
        "__typename": "AccountDeleted",
        "deletedAt": api.lanes.clock.now().isoformat(),
    }
    for name, text in names.items():
        assert await tables_with(api, text) == set(), name
    assert await tables_with(api, str(account.driver_id)) <= PSEUDONYM | REMEMBERED
    assert await api.lanes.rows("SELECT id, total_minor, state FROM bills") == bills
    assert await api.lanes.rows("SELECT * FROM ledger_transfers ORDER BY id") == ledger
    assert await api.lanes.count("sign_ins") == 0


async def test_whoever_is_gone_is_let_in_nowhere_and_may_begin_anew(account: Account) -> None:
    api = account.api
    assert (await account.delete())["__typename"] == "AccountDeleted"
    assert not await is_let_in(api, account.token)
    refused = await api.ask(REFRESH, {"token": account.signed_in["refreshToken"]})
    assert refused["refreshSignIn"]["code"] == "UNAUTHENTICATED"
    assert (await account.delete())["code"] == "UNAUTHENTICATED"
    anew = await sign_in_fully(api)
    identity = api.tokens.verify_driver(anew["accessToken"])
    assert identity.driver_id != account.driver_id
    # The plate is free: whoever drives it now is nobody's until it is proven again.
    await api.lanes.drive_in(PLATE)
    [session] = await api.lanes.rows("SELECT driver_id FROM sessions")
    assert session["driver_id"] is None


async def test_permissions_end_at_the_provider_too(account: Account) -> None:
    api = account.api
    [before] = await api.lanes.rows("SELECT agreement_reference AS reference FROM mandates")
    await account.delete()
    [mandate] = await api.lanes.rows("SELECT * FROM mandates")
    assert (mandate["state"], mandate["cancel_due_at"]) == ("revoked", None)
    state = await api.lanes.provider.query_agreement(before["reference"])
    assert state.status == AgreementStatus.CANCELLED


async def test_an_old_sign_in_deletes_nothing(account: Account) -> None:
    account.api.lanes.wait(minutes=5)
    refused = await account.delete()
    assert refused["code"] == "REAUTHENTICATION_REQUIRED"
    assert refused["confirmationPurpose"] == "DELETE_ACCOUNT"
    assert await account.api.lanes.count("drivers") == 1
    assert await is_let_in(account.api, account.token)


async def test_a_parked_car_keeps_the_account(account: Account) -> None:
    api = account.api
    await api.lanes.drive_in(PLATE)
    refused = await account.delete()
    assert refused["code"] == "ACCOUNT_NOT_DELETABLE"
    assert refused["message"] == "settle first what keeps the account: OPEN_STAY"
    seen = await only(api, OBSTACLES, account.token)
    assert seen == {"deletionObstacles": ["OPEN_STAY"]}
    assert [one["unbound_at"] for one in await api.lanes.rows("SELECT * FROM plate_bindings")] == [
        None
    ]
    [mandate] = await api.lanes.rows("SELECT state FROM mandates")
    assert mandate["state"] == "active"


@pytest.mark.parametrize("obstacle", UNSETTLED)
async def test_what_is_unsettled_keeps_the_account(
    account: Account, obstacle: DeletionObstacle
) -> None:
    api = account.api
    await stay(api)
    await api.lanes.rows_changed(UNSETTLED[obstacle])
    token = await api.token_of(account.driver_id)
    assert (await only(api, OBSTACLES, token))["deletionObstacles"] == [obstacle.upper()]
    refused = await only(api, DELETE, token)
    assert refused["message"] == f"settle first what keeps the account: {obstacle.upper()}"
    assert await api.lanes.count("drivers") == 1


async def hold(unit: UnitOfWork, account: Account) -> None:
    await stays.begin_stay(
        unit,
        account.driver_id,
        operator_id=account.api.lanes.entry.operator_id,
        session_id=new_id(unit.now()),
        entered_at=unit.now(),
    )


async def test_a_stay_that_began_first_is_waited_for_and_seen(account: Account) -> None:
    database = account.api.lanes.context.database
    async with database.begin() as unit:
        await hold(unit, account)
        deleting = asyncio.create_task(account.delete())
        await until_blocked(account.api.lanes, deleting)
    assert (await deleting)["message"] == "settle first what keeps the account: OPEN_STAY"
    assert await account.api.lanes.count("drivers") == 1


async def test_a_car_that_comes_while_the_account_goes_is_nobodys(account: Account) -> None:
    api = account.api
    async with api.lanes.context.database.begin() as unit:
        await account_rows.lock_account(unit, account.driver_id)
        entering = asyncio.create_task(api.lanes.drive_in(PLATE))
        await until_blocked(api.lanes, entering)
        # The rest of the deletion, in the transaction that the car waits for.
        await erase(unit, account.driver_id)
    await entering
    [session] = await api.lanes.rows("SELECT driver_id, state FROM sessions")
    assert session == {"driver_id": None, "state": "active"}
    assert await api.lanes.count("driver_stays") == 0


async def test_cars_and_deletions_at_one_moment_leave_nothing_half(account: Account) -> None:
    api = account.api
    _, deleted = await asyncio.gather(api.lanes.drive_in(PLATE), account.delete())
    [session] = await api.lanes.rows("SELECT driver_id FROM sessions")
    is_gone = deleted["__typename"] == "AccountDeleted"
    assert (session["driver_id"] is None) == is_gone
    assert await api.lanes.count("driver_stays") == (0 if is_gone else 1)
    assert await api.lanes.count("drivers") == (0 if is_gone else 1)


async def test_what_was_written_meanwhile_is_swept(account: Account) -> None:
    api = account.api
    await account.delete()
    # A request that began before, and committed after it.
    await api.lanes.rows_changed(
        "INSERT INTO buyer_profiles VALUES (:driver_id, decode('00', 'hex'), now())",
        driver_id=account.driver_id,
    )
    await api.lanes.rows_changed("UPDATE outbox SET done_at = now()")
    assert await deletion.sweep(api.lanes.context) == 0
    api.lanes.clock.advance(timedelta(minutes=5))
    assert await deletion.sweep(api.lanes.context) == 1
    assert await api.lanes.count("buyer_profiles") == 0
    assert await tables_with(api, str(account.driver_id)) <= PSEUDONYM | {"deleted_accounts"}
    assert await deletion.sweep(api.lanes.context) == 0


async def test_a_plate_is_kept_until_the_provider_knows_and_then_forgotten(
    account: Account,
) -> None:
    api = account.api
    await account.delete()
    # The provider did not answer: to tell it again, the plate is needed.
    await api.lanes.rows_changed(
        "UPDATE mandates SET cancel_due_at = now(), plate_index = gen_random_uuid()"
    )
    await api.lanes.rows_changed("UPDATE outbox SET done_at = now()")
    api.lanes.clock.advance(timedelta(minutes=5))
    assert await deletion.sweep(api.lanes.context) == 1
    [mandate] = await api.lanes.rows("SELECT plate_index FROM mandates")
    assert mandate["plate_index"] is not None
    await api.lanes.rows_changed("UPDATE mandates SET cancel_due_at = NULL")
    assert await deletion.sweep(api.lanes.context) == 1
    [mandate] = await api.lanes.rows("SELECT plate_index FROM mandates")
    assert mandate["plate_index"] is None
    assert await deletion.sweep(api.lanes.context) == 0


async def test_a_contest_goes_with_whoever_began_it(account: Account) -> None:
    """Else a stranger could stop somebody's payment for a month, and staff could not end it."""
    api = account.api
    stranger = (await sign_in_fully(api, "+16502530000"))["accessToken"]
    stranger_id = api.tokens.verify_driver(stranger).driver_id
    await prove(api.lanes, stranger_id, await claim(api.lanes, stranger_id))
    assert await is_paused(account)
    assert (await only(api, DELETE, stranger))["__typename"] == "AccountDeleted"
    assert not await is_paused(account)
    told = "outbox WHERE type = 'PlatePaymentResumed' AND owner_id = :owner"
    assert len(await api.lanes.rows(f"SELECT 1 FROM {told}", owner=account.driver_id)) == 1  # noqa: S608


async def test_a_passage_that_is_not_drawn_up_keeps_the_account(account: Account) -> None:
    """Else whoever came and left without network would have parked for nothing."""
    api = account.api
    await add_passage(api)
    seen = await only(api, OBSTACLES, account.token)
    assert seen == {"deletionObstacles": ["OPEN_STAY"]}
    assert (await account.delete())["code"] == "ACCOUNT_NOT_DELETABLE"
    await api.lanes.rows_changed("UPDATE offline_passages SET state = 'applied'")
    assert (await account.delete())["__typename"] == "AccountDeleted"
    assert await api.lanes.rows("SELECT plate_index FROM offline_passages") == [
        {"plate_index": None}
    ]


async def test_what_became_anothers_plate_keeps_what_it_did(account: Account) -> None:
    api = account.api
    index = plate_index(api.lanes.context.vault, PLATE)
    async with api.lanes.context.database.begin() as unit:
        [plate] = await list_plates(unit, account.driver_id)
        await unbind_plate(unit, account.driver_id, plate.binding_id)
    next_driver = await api.lanes.add_driver(PLATE)
    await add_passage(api)
    await add_passage(api, state="unmatched")
    assert (await account.delete())["__typename"] == "AccountDeleted"
    assert await api.lanes.rows("SELECT DISTINCT plate_index FROM offline_passages") == [
        {"plate_index": index}
    ]
    bindings = await api.lanes.rows("SELECT driver_id FROM plate_bindings")
    assert [one["driver_id"] for one in bindings] == [next_driver]


async def add_passage(api: ApiWorld, *, state: str = "pending") -> None:
    lane = api.lanes.exit
    await api.lanes.rows_changed(
        """INSERT INTO offline_passages (operator_id, id, place_id, lane_id, presentation_id,
            direction, state, reason, risk_minor, plate_index, came_at, decided_at, received_at,
            is_counted)
        VALUES (:operator, :id, :place, :lane, :id, 'exit', :state, 'policy', 0, :plate, :now,
            :now, :now, false)""",
        operator=lane.operator_id,
        id=new_id(api.lanes.clock.now()),
        place=lane.place_id,
        lane=lane.lane_id,
        state=state,
        plate=plate_index(api.lanes.context.vault, PLATE),
        now=api.lanes.clock.now(),
    )


async def is_paused(account: Account) -> bool:
    async with account.api.lanes.context.database.begin() as unit:
        [plate] = await list_plates(unit, account.driver_id)
    return plate.is_paused
