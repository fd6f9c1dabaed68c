"""What any answer names by an id is fetched again by it, and by nobody else."""

from uuid import UUID

from api.global_ids import encode_id
from parking.flows.passes import pass_products
from tests.factories.api import ApiWorld
from tests.factories.pass_desk import PassDesk

NODE = "query Node($id: ID!) { node(id: $id) { __typename id } }"


async def fetched(api: ApiWorld, token: str, global_id: str) -> str | None:
    found = (await api.ask(NODE, {"id": global_id}, token=token))["node"]
    assert found is None or found["id"] == global_id
    return None if found is None else found["__typename"]


async def test_places_are_everybodys_and_withdrawn_products_their_holders(api: ApiWorld) -> None:
    lane, desk = api.lanes.entry, PassDesk(api.lanes)
    product = await desk.add_product()
    holder = await desk.buyer("AB11111")
    await desk.buy(holder, product)
    holders, (_, strangers) = await api.token_of(holder), await api.add_driver()
    place_id = encode_id("Place", lane.operator_id, lane.place_id)
    product_id = encode_id("PassProduct", product.operator_id, product.id)
    for token in (holders, strangers):
        assert await fetched(api, token, place_id) == "Place"
        assert await fetched(api, token, product_id) == "PassProduct"
    await pass_products.put_on_sale(
        api.lanes.context, product.operator_id, product.id, is_on_sale=False
    )
    assert await fetched(api, holders, product_id) == "PassProduct"
    assert await fetched(api, strangers, product_id) is None
    for unknown in (
        encode_id("Place", lane.operator_id, UUID(int=7)),
        encode_id("Place", UUID(int=7), lane.place_id),
        encode_id("Place", lane.place_id),
        encode_id("PassProduct", UUID(int=7), product.id),
        encode_id("Fountain", lane.place_id),
    ):
        assert await fetched(api, holders, unknown) is None
    anonymous = await api.post(NODE, {"id": place_id})
    assert anonymous["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
