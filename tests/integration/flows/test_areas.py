"""The spaces of an area: all of them, in one statement."""

from parking.places import repository
from parking.places import service as places
from tests.factories.lane_world import LaneWorld
from tests.factories.statements import collected


async def test_a_large_area_costs_as_many_statements_as_a_small_one(world: LaneWorld) -> None:
    said: list[int] = []
    for supply in (1, 1200):
        with collected(world.context.database) as statements:
            async with world.context.database.begin() as unit:
                place = await repository.find_place(
                    unit, world.entry.operator_id, world.entry.place_id
                )
                assert place is not None
                area = places.add_area(unit, place, name=f"of {supply}", supply=supply)
        said.append(len(statements))
        spaces = await world.rows(
            "SELECT id, label FROM spaces WHERE area_id = :area ORDER BY label::int", area=area.id
        )
        assert [row["label"] for row in spaces] == [str(one) for one in range(1, supply + 1)]
        assert len({row["id"] for row in spaces}) == supply
    assert said[0] == said[1]
