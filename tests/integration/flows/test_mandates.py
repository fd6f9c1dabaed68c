"""Password-free permission: confirmed twice, limited, ordered, ended, and never in limbo."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlmodel import select

from parking.flows import binding
from parking.flows.payments import charging, mandates
from parking.flows.payments.mandates import Wish
from parking.flows.payments.notices import receive_agreement
from parking.kit.crypto import SealBrokenError
from parking.kit.database import ConflictError
from parking.kit.errors import InvalidInputError
from parking.kit.ids import new_id
from parking.kit.money import Money
from parking.payments.errors import (
    MandateEndedError,
    MandateTermsChangedError,
    MandateUnknownError,
)
from parking.payments.mandate_models import MandateConsent
from parking.payments.mandate_terms import Limits
from parking.payments.mandates import TERMS_CONTEXT
from parking.payments.port import AgreementState, AgreementStatus
from parking.plates import service as plates
from tests.factories.lane_world import PLATE, LaneWorld
from tests.factories.providers import add_provider

OTHER_PLATE = "京B11111"
CNY = Limits(charge_minor_max=5000, day_minor_max=20000, currency="CNY")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charging, "QUERY_PAUSES_S", (0, 0))


def digest_of(world: LaneWorld, view: mandates.MandateView, locale: str = "en") -> str:
    return view.terms.digest(world.context.vault, locale)


async def sign(world: LaneWorld, mandate_id: UUID) -> None:
    """Do what the payer does on the provider's page, and hear of it."""
    reference = f"agr_{mandate_id.hex}"
    world.provider.confirm(reference)
    state = await world.provider.query_agreement(reference)
    await receive_agreement(world.context, world.provider.name, state)


async def stored(world: LaneWorld, mandate_id: UUID) -> dict[str, Any]:
    [row] = await world.rows("SELECT * FROM mandates WHERE id = :id", id=mandate_id)
    return row


async def binding_of(world: LaneWorld, driver_id: UUID) -> UUID:
    [row] = await world.rows(
        "SELECT binding_id FROM driver_plates WHERE driver_id = :id AND unbound_at IS NULL",
        id=driver_id,
    )
    key: UUID = row["binding_id"]
    return key


@pytest.mark.parametrize("ours_first", [True, False])
async def test_a_mandate_is_charged_only_after_both_confirmations(
    world: LaneWorld, *, ours_first: bool
) -> None:
    driver_id = await world.add_driver()
    begun = await mandates.authorize(world.context, driver_id, Wish(limits=CNY))
    assert (begun.state, begun.confirmed_at, begun.signed_at) == ("pending", None, None)
    await world.drive_in()
    world.wait(minutes=45)
    for step in (0, 1):
        if ours_first == (step == 0):
            digest = digest_of(world, begun)
            await mandates.confirm(world.context, driver_id, begun.id, digest)
        else:
            await sign(world, begun.id)
        view = await mandates.find_mandate(world.context, driver_id, begun.id)
        assert view is not None
        if step == 0:
            assert (view.state, view.activated_at) == ("pending", None)
            assert (await world.drive_out()).reason == "payment_due"
            assert await world.count("payment_attempts") == 0
    assert (view.state, view.payer_hint) == ("active", "Test account 1")
    assert view.confirmation_url is None
    assert (await world.drive_out()).reason == "paid"
    assert world.provider.captured("CNY") == 1000


async def test_what_was_confirmed_is_kept_word_for_word(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    wish = Wish(limits=CNY, binding_id=await binding_of(world, driver_id))
    begun = await mandates.authorize(world.context, driver_id, wish)
    for _ in range(2):
        await mandates.confirm(world.context, driver_id, begun.id, digest_of(world, begun, "zh"))
    async with world.context.database.begin() as unit:
        [consent] = await unit.session.exec(select(MandateConsent))
    assert (consent.revision, consent.locale) == (1, "zh")
    opened = world.context.vault.open(consent.terms_sealed, context=TERMS_CONTEXT)
    assert opened == "\n".join((begun.terms.title("zh"), *begun.terms.sentences("zh")))
    assert PLATE in opened
    with pytest.raises(SealBrokenError):
        world.context.vault.open(consent.terms_sealed, context="plate")
    assert await world.count("mandate_consents") == 1


async def test_terms_that_do_not_stand_are_not_confirmed(world: LaneWorld) -> None:
    driver_id, stranger_id = await world.add_driver(), await world.add_driver(OTHER_PLATE)
    begun = await mandates.authorize(world.context, driver_id, Wish(limits=CNY))
    other = await mandates.authorize(world.context, driver_id, Wish(limits=CNY))
    before = await stored(world, begun.id)
    digest = digest_of(world, begun)
    for wrong in ("", "0" * 64, digest[:-1] + "x", digest_of(world, other), digest.upper() + "a"):
        with pytest.raises(MandateTermsChangedError):
            await mandates.confirm(world.context, driver_id, begun.id, wrong)
    with pytest.raises(MandateUnknownError):
        await mandates.confirm(world.context, stranger_id, begun.id, digest)
    assert await stored(world, begun.id) == before
    # Before they are confirmed, other limits make other terms.
    await mandates.change_limits(world.context, driver_id, begun.id, replace(CNY, day_minor_max=1))
    with pytest.raises(MandateTermsChangedError):
        await mandates.confirm(world.context, driver_id, begun.id, digest)
    await mandates.revoke(world.context, driver_id, begun.id)
    with pytest.raises(MandateEndedError):
        await mandates.confirm(world.context, driver_id, begun.id, digest)
    assert await world.count("mandate_consents") == 0


async def test_less_counts_at_once_and_more_only_when_confirmed(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    mandate_id = await world.permit(driver_id, Wish(limits=CNY))
    low = Limits(charge_minor_max=900, day_minor_max=900, currency="CNY")
    view, to_confirm = await mandates.change_limits(world.context, driver_id, mandate_id, low)
    assert (view.amount_max, to_confirm) == (Money(900, "CNY"), None)
    await world.drive_in()
    world.wait(minutes=45)
    assert (await world.drive_out()).reason == "payment_due"
    view, to_confirm = await mandates.change_limits(world.context, driver_id, mandate_id, CNY)
    assert view.amount_max == Money(900, "CNY")
    assert to_confirm is not None
    assert "50.00 CNY" in to_confirm.sentences("en")[1]
    assert (await world.drive_out()).reason == "payment_due"
    # The digest of other limits, or of the old terms, opens nothing.
    vault = world.context.vault
    wider = replace(CNY, charge_minor_max=None)
    for limits, digest in (
        (wider, to_confirm.digest(vault, "en")),
        (CNY, view.terms.digest(vault, "en")),
    ):
        with pytest.raises(MandateTermsChangedError):
            await mandates.change_limits(world.context, driver_id, mandate_id, limits, digest)
    assert (await stored(world, mandate_id))["amount_minor_max"] == 900
    for _ in range(2):
        view, again = await mandates.change_limits(
            world.context, driver_id, mandate_id, CNY, to_confirm.digest(vault, "de")
        )
        assert (view.amount_max, view.day_max, again) == (
            Money(5000, "CNY"),
            Money(20000, "CNY"),
            None,
        )
    assert (await world.drive_out()).reason == "paid"
    consents = await world.rows(
        "SELECT revision, locale FROM mandate_consents ORDER BY revision, id"
    )
    assert [tuple(row.values()) for row in consents] == [(1, "en"), (3, "de")]


async def test_a_confirmation_of_more_is_void_once_the_terms_changed_again(
    world: LaneWorld,
) -> None:
    driver_id = await world.add_driver()
    mandate_id = await world.permit(driver_id, Wish(limits=CNY))
    more = replace(CNY, charge_minor_max=9000)
    _, shown = await mandates.change_limits(world.context, driver_id, mandate_id, more)
    assert shown is not None
    digest = shown.digest(world.context.vault, "en")
    low = replace(CNY, charge_minor_max=100)
    await mandates.change_limits(world.context, driver_id, mandate_id, low)
    with pytest.raises(MandateTermsChangedError):
        await mandates.change_limits(world.context, driver_id, mandate_id, more, digest)
    assert (await stored(world, mandate_id))["amount_minor_max"] == 100


async def positions(world: LaneWorld, driver_id: UUID) -> list[tuple[UUID, int]]:
    rows = await world.rows(
        "SELECT id, position FROM mandates WHERE driver_id = :id AND state <> 'revoked'"
        " ORDER BY position",
        id=driver_id,
    )
    return [(row["id"], row["position"]) for row in rows]


async def test_the_drivers_order_has_no_gaps(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    first, second, third = [await world.permit(driver_id) for _ in range(3)]
    assert await positions(world, driver_id) == [(first, 0), (second, 1), (third, 2)]
    for _ in range(2):
        ordered = await mandates.reorder(world.context, driver_id, [third, first, second])
        assert [view.position for view in ordered] == [0, 1, 2]
    assert await positions(world, driver_id) == [(third, 0), (first, 1), (second, 2)]
    await mandates.revoke(world.context, driver_id, first)
    assert await positions(world, driver_id) == [(third, 0), (second, 1)]
    fourth = await world.permit(driver_id)
    assert await positions(world, driver_id) == [(third, 0), (second, 1), (fourth, 2)]
    stranger = await world.permit(await world.add_driver(OTHER_PLATE))
    wrong: Sequence[Sequence[UUID]] = (
        [],
        [third, second],
        [third, second, second],
        [third, second, first],
        [third, second, stranger],
        [third, second, fourth, stranger],
    )
    for order in wrong:
        with pytest.raises(InvalidInputError):
            await mandates.reorder(world.context, driver_id, order)
    assert await positions(world, driver_id) == [(third, 0), (second, 1), (fourth, 2)]


async def test_changes_of_the_order_at_once_leave_one_order(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    known = [await world.permit(driver_id) for _ in range(4)]
    orders = [known[turn:] + known[:turn] for turn in range(4)]
    outcomes = await asyncio.gather(
        *(mandates.reorder(world.context, driver_id, order) for order in orders),
        mandates.revoke(world.context, driver_id, known[2]),
        mandates.authorize(world.context, driver_id),
        return_exceptions=True,
    )
    refused = [one for one in outcomes if isinstance(one, Exception)]
    assert all(isinstance(one, (InvalidInputError, ConflictError)) for one in refused), refused
    left = await positions(world, driver_id)
    assert [position for _, position in left] == [0, 1, 2, 3]
    assert known[2] not in {mandate_id for mandate_id, _ in left}


async def test_ten_at_once_do_not_become_eleven(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    outcomes = await asyncio.gather(
        *(mandates.authorize(world.context, driver_id) for _ in range(13)), return_exceptions=True
    )
    assert sum(isinstance(one, InvalidInputError) for one in outcomes) == 3
    assert [position for _, position in await positions(world, driver_id)] == list(range(10))


async def test_a_plates_mandate_needs_a_plate_of_the_drivers_own(world: LaneWorld) -> None:
    add_provider(world, "etc", needs_plate=True, needs_payer=True)
    driver_id, other_id = await world.add_driver(), await world.add_driver(OTHER_PLATE)
    theirs = await binding_of(world, other_id)
    own = await binding_of(world, driver_id)
    wishes = (
        (Wish(provider="etc", payer_id="OBU-1"), "plateId"),
        (Wish(provider="etc", binding_id=theirs, payer_id="OBU-1"), "plateId"),
        (Wish(provider="etc", binding_id=new_id(world.clock.now()), payer_id="x"), "plateId"),
        (Wish(provider="etc", binding_id=own), "payerId"),
        (Wish(provider="etc", binding_id=own, payer_id="a\nb"), "payerId"),
        (Wish(provider="nobody"), "provider"),
    )
    for wish, field in wishes:
        with pytest.raises(InvalidInputError) as caught:
            await mandates.authorize(world.context, driver_id, wish)
        assert caught.value.field == field
    assert await world.count("mandates") == 0
    wish = Wish(provider="etc", binding_id=own, payer_id="OBU-1")
    assert (await mandates.authorize(world.context, driver_id, wish)).plate == PLATE


async def test_unbinding_a_plate_ends_what_was_allowed_for_it_alone(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    key = await binding_of(world, driver_id)
    scoped = await world.permit(driver_id, Wish(binding_id=key))
    whole = await world.permit(driver_id)
    for _ in range(2):
        await binding.unbind(world.context, driver_id, key)
    row = await stored(world, scoped)
    assert (row["state"], row["cancel_due_at"]) == ("revoked", None)
    assert await positions(world, driver_id) == [(whole, 0)]
    agreement = await world.provider.query_agreement(f"agr_{scoped.hex}")
    assert agreement.status is AgreementStatus.CANCELLED


async def test_parting_with_a_plate_ends_what_was_allowed_for_it_alone(world: LaneWorld) -> None:
    driver_id, buyer_id = await world.add_driver(), await world.add_driver(OTHER_PLATE)
    scoped = await world.permit(driver_id, Wish(binding_id=await binding_of(world, driver_id)))
    async with world.context.database.begin() as unit:
        claim = await plates.claim_plate(unit, buyer_id, PLATE)
    async with world.context.database.begin() as unit:
        await plates.approve_claim(unit, claim.plate_index, claim.claim_id, staff_name="Ada")
        keeper = await plates.active_binding(unit, claim.plate_index)
        ended = await binding.end_mandates(unit, claim.plate_index, keeper)
    assert ended == [(driver_id, scoped)]
    assert (await stored(world, scoped))["state"] == "revoked"


async def test_a_mandate_begun_while_its_plate_is_unbound_does_not_outlive_it(
    world: LaneWorld,
) -> None:
    driver_id = await world.add_driver()
    key = await binding_of(world, driver_id)
    await asyncio.gather(
        *(mandates.authorize(world.context, driver_id, Wish(binding_id=key)) for _ in range(4)),
        binding.unbind(world.context, driver_id, key),
        return_exceptions=True,
    )
    rows = await world.rows("SELECT state FROM mandates WHERE plate_index IS NOT NULL")
    assert {row["state"] for row in rows} <= {"revoked"}


async def test_a_provider_that_does_not_answer_is_told_of_the_end_until_it_knows(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver_id = await world.add_driver()
    mandate_id = await world.permit(driver_id)
    reference, asked = f"agr_{mandate_id.hex}", list[str]()

    async def lost(told: str, *, plate: str | None = None) -> AgreementState:
        del plate
        asked.append(told)
        return AgreementState(reference=told, status=AgreementStatus.UNKNOWN)

    with monkeypatch.context() as patched:
        patched.setattr(world.provider, "cancel_agreement", lost)
        view = await mandates.revoke(world.context, driver_id, mandate_id)
        assert view.state == "revoked"
        waits: list[float] = []
        for _ in range(7):
            row = await stored(world, mandate_id)
            waits.append((row["cancel_due_at"] - world.clock.now()).total_seconds())
            world.clock.advance(row["cancel_due_at"] - world.clock.now())
            await mandates.sweep(world.context)
        assert waits == [5, 15, 60, 300, 1800, 21600, 21600]
        assert asked == [reference] * 8
    assert (await world.provider.query_agreement(reference)).status is AgreementStatus.ACTIVE
    world.wait(hours=7)
    assert await mandates.sweep(world.context) == 1
    assert (await stored(world, mandate_id))["cancel_due_at"] is None
    assert (await world.provider.query_agreement(reference)).status is AgreementStatus.CANCELLED
    assert await mandates.sweep(world.context) == 0


async def test_a_page_confirmed_after_its_revocation_is_cancelled_there_too(
    world: LaneWorld,
) -> None:
    driver_id = await world.add_driver()
    begun = await mandates.authorize(world.context, driver_id)
    await mandates.confirm(world.context, driver_id, begun.id, digest_of(world, begun))
    # The process died between the commit and the call.
    async with world.context.database.begin() as unit:
        await unit.run(
            text("UPDATE mandates SET state = 'revoked', revoked_at = now() WHERE id = :id"),
            {"id": begun.id},
        )
    await sign(world, begun.id)
    row = await stored(world, begun.id)
    assert (row["state"], row["signed_at"]) == ("revoked", None)
    assert await mandates.sweep(world.context) == 1
    agreement = await world.provider.query_agreement(f"agr_{begun.id.hex}")
    assert agreement.status is AgreementStatus.CANCELLED


async def test_what_nobody_confirms_is_given_up(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    signed = await mandates.authorize(world.context, driver_id)
    lost = await mandates.authorize(world.context, driver_id)
    opened = await mandates.authorize(world.context, driver_id)
    await sign(world, signed.id)
    # The process died before it stored the page's address.
    await world.rows_changed(
        "UPDATE mandates SET agreement_reference = NULL, confirmation_url_sealed = NULL"
        " WHERE id = :id",
        id=lost.id,
    )
    world.wait(minutes=11)
    await mandates.sweep(world.context)
    assert await positions(world, driver_id) == [(signed.id, 0), (opened.id, 1)]
    world.wait(hours=24)
    await mandates.sweep(world.context)
    world.wait(minutes=1)
    await mandates.sweep(world.context)
    assert await positions(world, driver_id) == []
    for view in (signed, opened):
        agreement = await world.provider.query_agreement(f"agr_{view.id.hex}")
        assert agreement.status is AgreementStatus.CANCELLED


async def test_providers_may_name_their_agreements_alike(world: LaneWorld) -> None:
    add_provider(world, "other")
    driver_id = await world.add_driver()
    begun = await mandates.authorize(world.context, driver_id)
    forged = AgreementState(reference=f"agr_{begun.id.hex}", status=AgreementStatus.ACTIVE)
    await receive_agreement(world.context, "other", forged)
    assert (await stored(world, begun.id))["signed_at"] is None
    cancelled = replace(forged, status=AgreementStatus.CANCELLED)
    await receive_agreement(world.context, "other", cancelled)
    assert (await stored(world, begun.id))["state"] == "pending"
    await receive_agreement(world.context, "fake", cancelled)
    assert (await stored(world, begun.id))["state"] == "revoked"
