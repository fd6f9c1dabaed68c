"""A driver with a monthly pass: the gates open, the stay costs nothing, the invoice is a PDF."""

from typing import Final
from zoneinfo import ZoneInfo

from api.global_ids import encode_id
from parking.kit.money import Money
from sesame.demo import documents
from sesame.demo.graphql_client import GraphQLClient, Json
from sesame.demo.phone import Phone
from sesame.demo.scenarios.act import Act
from sesame.demo.scenarios.stage import Stage, session_uuid
from sesame.demo.town import ALTMARKT, TownPlace

PRODUCT_NAME: Final = "Altmarkt by the month"
PRICE: Final = Money(9000, "EUR")
VALID: Final = frozenset({"ACTIVE", "GRACE"})
BUYER: Final[Json] = {
    "name": "Erika Mustermann",
    "street": "Heidestraße 17",
    "postalCode": "51147",
    "city": "Köln",
    "country": "DE",
}


async def play(stage: Stage, act: Act) -> None:
    """Play the scenario once."""
    car = stage.cast.commuter
    place = stage.town.town.place(ALTMARKT)
    async with stage.town.phone(car.plate) as phone:
        await stage.bind(act, phone, car)
        held = await _held_pass(stage, act, phone, place, car.plate)
        await _expect_invoice(act, phone, held["bills"][0])
        await stage.drive_in(act, ALTMARKT, car)
        session = await phone.active_session(car.plate)
        await stage.stay(act)
        await stage.drive_out(act, ALTMARKT, car.pictures)

        (bill,) = await phone.bills(session["id"])
        reasons = [line["reason"] for line in bill["lines"]]
        act.expect("the lines of the bill", reasons, ["pass"])
        act.expect("the pass on the bill", bill["lines"][0]["note"], PRODUCT_NAME)
        paid = Money(int(bill["total"]["amountMinor"]), bill["total"]["currency"])
        act.expect("what the stay cost", paid, Money.zero(place.currency))
        orders = await stage.witness.orders(place.operator_id, session_uuid(session))
        act.expect("orders at the acquirer for the stay", orders, [])
        act.facts["paid"] = paid.format()


async def _held_pass(stage: Stage, act: Act, phone: Phone, place: TownPlace, plate: str) -> Json:
    """Return the driver's pass; an earlier run may have bought it."""
    held = [one for one in (await phone.viewer())["passes"] if one["state"] in VALID]
    if held:
        return dict(held[0])
    place_id = encode_id("Place", place.operator_id, place.place_id)
    today = stage.town.context.clock.now().astimezone(ZoneInfo(place.timezone)).date()
    if not await phone.pass_products(place_id, today):
        act.step("the operator sells passes")
        async with stage.town.staff(place.operator_id) as staff:
            await _sell(staff, place_id, place.timezone)
    product = (await phone.pass_products(place_id, today))[0]
    act.step(f"the driver buys {product['name']}")
    bought = await phone.buy_pass(product, plate)
    act.expect("the pass", bought["state"], "ACTIVE")
    act.expect("what it cost", bought["bills"][0]["total"], product["firstPrice"])
    return bought


async def _expect_invoice(act: Act, phone: Phone, bill: Json) -> None:
    """Ask for an invoice; whoever asked before gets the same one."""
    act.step("the driver asks for an invoice over the pass")
    invoice = await phone.invoice([bill["id"]], BUYER)
    document = await phone.download(invoice["pdfUrl"])
    act.expect("the beginning of the invoice's file", document[:5], b"%PDF-")
    act.expect("what the invoice says", invoice["gross"], bill["total"])
    price = Money(int(bill["total"]["amountMinor"]), bill["total"]["currency"])
    act.facts["pass"], act.facts["invoice"] = price.format(), invoice["number"]


async def _sell(staff: GraphQLClient, place_id: str, timezone: str) -> None:
    seller: Json = {
        "legalName": "Altstadt Garagen GmbH",
        "street": "Altmarkt 3",
        "postalCode": "01067",
        "city": "Dresden",
        "country": "DE",
        "prefix": "AG",
        "timezone": timezone,
        "vatBasisPoints": 1900,
        "vatId": "DE136695976",
    }
    await staff.run(documents.SET_SELLER, input=seller)
    price: Json = {"amountMinor": PRICE.amount_minor, "currency": PRICE.currency}
    product: Json = {"name": PRODUCT_NAME, "placeIds": [place_id], "price": price}
    await staff.run(documents.SELL_PASS, input=product)
