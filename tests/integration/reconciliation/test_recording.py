"""What comparing found is kept: once, until somebody resolves it or it is gone; and by itself."""

from datetime import timedelta
from uuid import uuid4

import pytest

from parking.flows.reconciliation import difference_view, nightly
from parking.flows.reconciliation.recording import record
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.payments.port import ProviderUnavailableError, SettlementNotReadyError
from parking.places import service as places
from parking.reconciliation import service
from parking.reconciliation.errors import DifferenceClosedError, DifferenceUnknownError
from parking.reconciliation.models import DifferenceState
from parking.reconciliation.service import UNOWNED
from tests.factories.lane_world import LaneWorld
from tests.factories.settlement_days import (
    Rows,
    compared,
    falsify,
    morning,
    next_morning,
    paid_stay,
    row_of,
)

DAYS = "SELECT day, state, tries, next_try_at, last_error FROM settlement_days WHERE day = :day"


async def stored(world: LaneWorld) -> list[tuple[str, str]]:
    rows = await world.rows("SELECT code, state FROM reconciliation_differences ORDER BY code")
    return [(row["code"], row["state"]) for row in rows]


async def test_a_difference_is_stored_once_and_closed_when_it_is_gone(world: LaneWorld) -> None:
    day = morning(world)
    await paid_stay(world)
    next_morning(world)
    honest = world.provider.fetch_settlement
    falsify(world, day, lambda rows: (*rows, row_of(day)))
    for _ in range(2):
        await record(world.context, await compared(world, day))
        assert await stored(world) == [("missing_in_books", "open")]
        world.wait(seconds=1)
    runs = await difference_view.runs_of_operator(
        world.context, world.exit.operator_id, first=10, before=None
    )
    assert [(run.day, run.differences, run.is_provisional) for run in runs] == [(day, 1, False)] * 2
    assert runs[0].openings == {"paid": 1}
    [total] = runs[0].totals
    assert (total["movement"], total["theirs_minor"], total["ours_minor"]) == ("charge", 1700, 1000)
    [view] = await difference_view.page_of_operator(
        world.context, world.exit.operator_id, state=DifferenceState.OPEN, first=10, before=None
    )
    assert (view.ours, view.theirs) == (None, Money(700, "CNY"))
    assert (view.row.first_run_id, view.row.last_run_id) == (runs[1].id, runs[0].id)
    assert await nightly.count_open(world.context) == {("fake", "missing_in_books"): 1}

    world.provider.fetch_settlement = honest  # pyright: ignore[reportAttributeAccessIssue]
    await record(world.context, await compared(world, day))
    assert await stored(world) == [("missing_in_books", "gone")]
    assert await nightly.count_open(world.context) == {}

    falsify(world, day, lambda rows: (*rows, row_of(day)))
    await record(world.context, await compared(world, day))
    assert await stored(world) == [("missing_in_books", "open")]


async def test_a_person_resolves_a_difference_once(world: LaneWorld) -> None:
    day = morning(world)
    next_morning(world)
    falsify(world, day, lambda _rows: (row_of(day),))
    await record(world.context, await compared(world, day))
    [row] = await world.rows("SELECT operator_id, id FROM reconciliation_differences")
    own, difference_id = row["operator_id"], row["id"]

    for wrong in ("", "   ", "n" * (service.NOTE_LENGTH_MAX + 1)):
        with pytest.raises(InvalidInputError, match="note"):
            await difference_view.resolve(world.context, own, difference_id, note=wrong, by="mei")
    for other in ((uuid4(), difference_id), (own, uuid4())):
        with pytest.raises(DifferenceUnknownError):
            await difference_view.resolve(world.context, *other, note="theirs", by="mei")
    assert await stored(world) == [("missing_in_books", "open")]

    for _ in range(2):
        view = await difference_view.resolve(
            world.context, own, difference_id, note=" Another shop's till ", by="mei"
        )
        assert (view.row.resolved_by, view.note) == ("mei", "Another shop's till")
    for by, note in (("ada", "Another shop's till"), ("mei", "something else")):
        with pytest.raises(DifferenceClosedError):
            await difference_view.resolve(world.context, own, difference_id, note=note, by=by)
    # A later run that finds it again leaves it to the person's word.
    await record(world.context, await compared(world, day))
    assert await stored(world) == [("missing_in_books", "resolved")]
    [kept] = await world.rows("SELECT resolved_by, note_sealed FROM reconciliation_differences")
    assert kept["resolved_by"] == "mei"
    assert b"till" not in kept["note_sealed"]


async def test_money_that_no_books_know_is_nobodys_where_there_are_several(
    world: LaneWorld,
) -> None:
    day = morning(world)
    await paid_stay(world)
    next_morning(world)
    async with world.context.database.begin() as unit:
        places.add_operator(unit, "Hillside Parking")

    def edit(rows: Rows) -> Rows:
        return (*rows, *rows, row_of(day))

    falsify(world, day, edit)
    await record(world.context, await compared(world, day))
    rows = await world.rows("SELECT operator_id, code FROM reconciliation_differences")
    assert {row["code"]: row["operator_id"] for row in rows} == {
        "missing_in_books": UNOWNED,
        "duplicate_at_provider": world.exit.operator_id,
    }
    assert await world.count("reconciliation_runs") == 3


async def test_days_are_compared_by_themselves_as_soon_as_their_file_is_there(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = morning(world)
    await paid_stay(world)
    next_morning(world)
    ready = world.provider.fetch_settlement

    async def not_ready(asked: object) -> Rows:
        raise SettlementNotReadyError(f"date: {asked} is not closed")

    async def out_of_reach(asked: object) -> Rows:
        raise ProviderUnavailableError(f"no answer about {asked}")

    for number, (fetch, error) in enumerate(
        (
            (not_ready, "SETTLEMENT_NOT_READY"),
            (out_of_reach, "PAYMENT_PROVIDER_UNAVAILABLE"),
        ),
        start=1,
    ):
        monkeypatch.setattr(world.provider, "fetch_settlement", fetch)
        assert await nightly.reconcile_due(world.context) == nightly.LOOKBACK_DAYS
        # Nothing is due until the pause is over, in whatever process.
        assert await nightly.reconcile_due(world.context) == 0
        [row] = await world.rows(DAYS, day=day)
        assert (row["state"], row["tries"], row["last_error"]) == ("waiting", number, error)
        world.clock.advance(nightly.RETRY_AFTER)

    monkeypatch.setattr(world.provider, "fetch_settlement", ready)
    falsify(world, day, lambda _rows: ())
    assert await nightly.reconcile_due(world.context) == nightly.LOOKBACK_DAYS
    [row] = await world.rows(DAYS, day=day)
    assert (row["state"], row["last_error"]) == ("provisional", None)
    assert await stored(world) == [("opened_money_missing", "open")]

    world.clock.advance(nightly.SECOND_LOOK_AFTER + timedelta(minutes=1))
    monkeypatch.setattr(world.provider, "fetch_settlement", ready)
    await nightly.reconcile_due(world.context)
    [row] = await world.rows(DAYS, day=day)
    assert (row["state"], row["next_try_at"]) == ("final", None)
    assert await stored(world) == [("opened_money_missing", "gone")]


async def test_a_file_that_never_comes_is_given_up(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = morning(world)
    next_morning(world)

    async def not_ready(asked: object) -> Rows:
        raise SettlementNotReadyError(f"date: {asked} is not closed")

    monkeypatch.setattr(world.provider, "fetch_settlement", not_ready)
    await nightly.reconcile_due(world.context)
    world.clock.advance(nightly.GIVEN_UP_AFTER)
    await nightly.reconcile_due(world.context)
    [row] = await world.rows(DAYS, day=day)
    assert (row["state"], row["next_try_at"]) == ("given_up", None)
    assert row["last_error"] == "SETTLEMENT_NOT_READY"
