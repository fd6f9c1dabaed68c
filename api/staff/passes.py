"""What staff sell as passes, grant and revoke; all of their own operator."""

import re
from datetime import date
from typing import Annotated, Final
from uuid import UUID

import strawberry

from api.acting import Given, outcome_of
from api.config import PAGE_SIZE
from api.global_ids import decode_id, decode_keys
from api.idempotency import by_staff, keyed
from api.request import Info
from api.staff.pass_types import HELD_ID, HeldPass, HeldPassPage, StaffPassProduct
from api.staff.places import AREA_ID
from api.types.money import MoneyInput, checked_money
from api.types.page import PageInfo, require_page_size
from api.types.passes import MINUTES_PER_HOUR, PRODUCT_ID, Weekday
from parking.flows.passes import pass_changes, pass_products, pass_view
from parking.kit.errors import InvalidInputError
from parking.passes.errors import PassProductUnknownError, PassUnknownError
from parking.passes.periods import PeriodKind
from parking.passes.products import NewProduct

_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")


@strawberry.type(description="The product as it stands now.")
class PassProductStored:
    """The product as it stands now."""

    product: StaffPassProduct


@strawberry.type(description="The pass as it stands now.")
class HeldPassStored:
    """The pass as it stands now."""

    stored: HeldPass = strawberry.field(name="pass")


@strawberry.input
class CreatePassProductInput:
    """What to sell."""

    name: str
    place_ids: list[strawberry.ID] = strawberry.field(
        description="One place, or a group of one time zone and one currency."
    )
    price: MoneyInput = strawberry.field(description="Of a whole period.")
    area_id: strawberry.ID | None = strawberry.field(
        default=None, description="An area of the only place, as `places` names it."
    )
    weekdays: list[Weekday] = strawberry.field(default_factory=lambda: list(Weekday))
    hours_from: str = strawberry.field(default="00:00", description="Local time.")
    hours_to: str = strawberry.field(
        default="24:00", description="Local time; not later than `hoursFrom` is on the next day."
    )
    period: PeriodKind = PeriodKind.CALENDAR_MONTH
    period_days: int | None = None
    is_prorated: bool = False
    plates_max: int = 1
    spaces: int = 1
    renews_by_default: bool = True
    notice_days: int = 3
    retry_days: list[int] = strawberry.field(default_factory=lambda: [1, 3])
    grace_days: int = 5
    quantity: int | None = strawberry.field(default=None, description="Null for any number.")
    valid_from: date | None = None
    valid_until: date | None = None
    is_on_sale: bool = True


@strawberry.input
class SetPassProductSaleInput:
    """Whether to sell a product."""

    product_id: strawberry.ID
    is_on_sale: bool


@strawberry.input
class ChangePassPriceInput:
    """What a period costs from now on."""

    product_id: strawberry.ID
    price: MoneyInput


@strawberry.input
class GrantPassInput:
    """Whom to give a pass."""

    product_id: strawberry.ID
    plates: list[str]
    last_day: date = strawberry.field(description="The last local day that it covers.")
    reason: str = strawberry.field(description="Such as `resident of 5 Mill Lane`.")
    first_day: date | None = strawberry.field(default=None, description="Null for now.")


@strawberry.input
class RevokePassInput:
    """Which pass to end."""

    pass_id: strawberry.ID
    reason: str


@keyed(by_staff, at_once=True)
async def create_pass_product(
    info: Info, given: Annotated[CreatePassProductInput, Given]
) -> PassProductStored:
    """Add a product."""
    staff = info.context.staff()
    price = checked_money(given.price, field="price")
    if price is None:
        raise InvalidInputError("price", "an amount")
    new = NewProduct(
        name=given.name,
        place_ids=[_place_id(one, staff.operator_id) for one in given.place_ids],
        timezone="",
        price=price,
        created_by=staff.name,
        area_id=_area_id(given.area_id, staff.operator_id),
        weekdays=frozenset(day.value for day in given.weekdays),
        from_minute=_minute(given.hours_from, "hoursFrom"),
        to_minute=_minute(given.hours_to, "hoursTo"),
        period=given.period,
        period_days=given.period_days,
        is_prorated=given.is_prorated,
        plates_max=given.plates_max,
        spaces=given.spaces,
        renews_by_default=given.renews_by_default,
        notice_days=given.notice_days,
        retry_days=given.retry_days,
        grace_days=given.grace_days,
        quantity=given.quantity,
        valid_from=given.valid_from,
        valid_until=given.valid_until,
        is_on_sale=given.is_on_sale,
    )
    row = await pass_products.create(info.context.parking, staff.operator_id, new)
    return PassProductStored(product=StaffPassProduct.of(row))


@keyed(by_staff, at_once=True)
async def set_pass_product_sale(
    info: Info, given: Annotated[SetPassProductSaleInput, Given]
) -> PassProductStored:
    """Put a product on sale, or withdraw it."""
    operator_id = info.context.staff().operator_id
    row = await pass_products.put_on_sale(
        info.context.parking,
        operator_id,
        _product_id(given.product_id, operator_id),
        is_on_sale=given.is_on_sale,
    )
    return PassProductStored(product=StaffPassProduct.of(row))


@keyed(by_staff, at_once=True)
async def change_pass_price(
    info: Info, given: Annotated[ChangePassPriceInput, Given]
) -> PassProductStored:
    """Change a price."""
    operator_id = info.context.staff().operator_id
    product_id = _product_id(given.product_id, operator_id)
    price = checked_money(given.price, field="price")
    if price is None:
        raise InvalidInputError("price", "an amount")
    row = await pass_products.change_price(info.context.parking, operator_id, product_id, price)
    return PassProductStored(product=StaffPassProduct.of(row))


@keyed(by_staff, at_once=True)
async def grant_pass(info: Info, given: Annotated[GrantPassInput, Given]) -> HeldPassStored:
    """Give a pass away."""
    staff = info.context.staff()
    right_id = await pass_changes.grant(
        info.context.parking,
        staff.operator_id,
        _product_id(given.product_id, staff.operator_id),
        plate_texts=given.plates,
        first_day=given.first_day,
        last_day=given.last_day,
        by=staff.name,
        reason=given.reason,
    )
    return HeldPassStored(stored=await _read(info, right_id))


@keyed(by_staff, at_once=True)
async def revoke_pass(info: Info, given: Annotated[RevokePassInput, Given]) -> HeldPassStored:
    """End a pass."""
    staff = info.context.staff()
    right_id = decode_id(given.pass_id, kind=HELD_ID, field="passId")
    await pass_changes.revoke(
        info.context.parking, staff.operator_id, right_id, by=staff.name, reason=given.reason
    )
    return HeldPassStored(stored=await _read(info, right_id))


@strawberry.type
class PassQueries:
    """The reads about passes."""

    @strawberry.field(description="Your products, newest first, withdrawn ones too.")
    async def pass_products(self, info: Info) -> list[StaffPassProduct]:
        """Return the operator's products."""
        operator_id = info.context.staff().operator_id
        rows = await pass_products.list_all(info.context.parking, operator_id)
        return [StaffPassProduct.of(row) for row in rows]

    @strawberry.field(description="The passes that your places sold or granted, newest first.")
    async def held_passes(
        self, info: Info, first: int = PAGE_SIZE, after: str | None = None
    ) -> HeldPassPage:
        """Return a page of the operator's passes."""
        operator_id = info.context.staff().operator_id
        # One more than asked for tells whether there is a next page.
        require_page_size(first)
        before = None if after is None else decode_id(after, kind=HELD_ID, field="after")
        views = await pass_view.page_of_operator(
            info.context.parking, operator_id, first=first + 1, before=before
        )
        page = [HeldPass.of(view) for view in views[:first]]
        return HeldPassPage(
            nodes=page,
            page_info=PageInfo.of(
                [held.id for held in page], has_more=len(views) > first, after=after
            ),
        )


@strawberry.type
class PassMutations:
    """The writes about passes."""

    create_pass_product = strawberry.mutation(
        create_pass_product,
        graphql_type=outcome_of(PassProductStored, "CreatePassProductResult"),
        description="Sell a pass for your places. Only its price and its sale can be changed "
        "later: make another product instead.",
    )
    set_pass_product_sale = strawberry.mutation(
        set_pass_product_sale,
        graphql_type=outcome_of(PassProductStored, "SetPassProductSaleResult"),
        description="Put a product on sale or withdraw it; held passes stay and renew. Repeating "
        "it changes nothing.",
    )
    change_pass_price = strawberry.mutation(
        change_pass_price,
        graphql_type=outcome_of(PassProductStored, "ChangePassPriceResult"),
        description="Change the price: at once for who buys, for holders from the next renewal "
        "whose notice names it. Repeating it changes nothing.",
    )
    grant_pass = strawberry.mutation(
        grant_pass,
        graphql_type=outcome_of(HeldPassStored, "GrantPassResult"),
        description="Give plates a pass free of charge until a day, as for residents and staff "
        "cars. It never renews. Your name is kept with it.",
    )
    revoke_pass = strawberry.mutation(
        revoke_pass,
        graphql_type=outcome_of(HeldPassStored, "RevokePassResult"),
        description="End a pass at once, with your name and the reason; nothing is paid back by "
        "itself. Repeating it changes nothing.",
    )


async def _read(info: Info, right_id: UUID) -> HeldPass:
    operator_id = info.context.staff().operator_id
    view = await pass_view.find_of_operator(info.context.parking, operator_id, right_id)
    if view is None:
        raise PassUnknownError("passId: expected one of this operator")
    return HeldPass.of(view)


def _product_id(text: str, operator_id: UUID) -> UUID:
    owner_id, product_id = decode_keys(text, kind=PRODUCT_ID, count=2, field="productId")
    if owner_id != operator_id:
        raise PassProductUnknownError("productId: expected one of this operator")
    return product_id


def _place_id(text: str, operator_id: UUID) -> UUID:
    owner_id, place_id = decode_keys(text, kind="Place", count=2, field="placeIds")
    if owner_id != operator_id:
        raise InvalidInputError("placeIds", "places of this operator")
    return place_id


def _area_id(text: str | None, operator_id: UUID) -> UUID | None:
    if text is None:
        return None
    owner_id, area_id = decode_keys(text, kind=AREA_ID, count=2, field="areaId")
    if owner_id != operator_id:
        raise InvalidInputError("areaId", "an area of the place")
    return area_id


def _minute(text: str, field: str) -> int:
    if not _CLOCK.fullmatch(text):
        raise InvalidInputError(field, "a local time such as 07:00")
    return int(text[:2]) * MINUTES_PER_HOUR + int(text[3:])
