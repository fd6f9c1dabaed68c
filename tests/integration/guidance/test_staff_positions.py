"""Where places are, said by staff: one by one, by a file, and by nobody else."""

import csv
import io
import json
from typing import Any, Final

from api.global_ids import encode_id
from parking.places.positions import ENTRANCE_AWAY_M_MAX
from parking.staff.rules import Role
from tests.factories.api import ApiWorld
from tests.factories.ground import BUND, add_place
from tests.factories.staff import hire

PATH: Final = "/staff/graphql"
REFUSALS: Final = "... on Refusal { code } ... on InvalidInput { field }"
SET: Final = f"""
mutation ($place: ID!, $at: GeoPositionInput!, $address: String! = "",
    $entrances: [PlaceEntranceInput!]! = []) {{
  setPlacePosition(input: {{placeId: $place, position: $at, address: $address,
      entrances: $entrances}}) {{
    __typename ... on PlacePositionSet {{ changed where {{ address position {{ latitude longitude }}
      entrances {{ name use }} }} }} {REFUSALS} }}
}}
"""
IMPORT: Final = f"""
mutation ($content: String!, $format: PositionFormat! = CSV) {{
  importPlacePositions(input: {{content: $content, format: $format}}) {{
    __typename ... on PlacePositionsImported {{ places changed }} {REFUSALS} }}
}}
"""
EXPORT: Final = "query ($format: PositionFormat! = CSV) { placePositions(format: $format) }"
PLACES: Final = "{ places { name where { address position { latitude longitude } } } }"
AT: Final = {"latitude": 31.2401, "longitude": 121.4902}


async def do(api: ApiWorld, query: str, token: str, **variables: object) -> Any:  # noqa: ANN401 - JSON
    data = await api.ask(query, variables, token=token, path=PATH)
    return next(iter(data.values()))


def place_id(api: ApiWorld) -> str:
    return encode_id("Place", api.lanes.entry.operator_id, api.lanes.entry.place_id)


async def test_a_place_is_set_where_it_is_once(api: ApiWorld) -> None:
    ada = await hire(api, "Ada", [Role.OPERATOR])
    assert await do(api, PLACES, ada.token) == [{"name": "Riverside", "where": None}]
    asked = {
        "place": place_id(api),
        "at": AT,
        "address": " Zhongshan Road 18 ",
        "entrances": [{"name": "Ramp", "use": "VEHICLES", "position": AT}],
    }
    where = {
        "address": "Zhongshan Road 18",
        "position": AT,
        "entrances": [{"name": "Ramp", "use": "VEHICLES"}],
    }
    for changed in (True, False):
        told = await do(api, SET, ada.token, **asked)
        assert told == {"__typename": "PlacePositionSet", "changed": changed, "where": where}
    assert await do(api, SET, ada.token, place=place_id(api), at={"latitude": 0, "longitude": 180})
    [row] = await api.lanes.rows("SELECT * FROM place_positions")
    assert (row["latitude_microdegrees"], row["longitude_microdegrees"]) == (0, -180_000_000)
    assert (row["address"], row["entrances"]) == ("", [])
    assert row["set_by"].endswith(":Ada")
    acts = await api.lanes.rows("SELECT place_id FROM staff_acts WHERE action = 'setPlacePosition'")
    assert [act["place_id"] for act in acts] == [api.lanes.entry.place_id] * 3


async def test_what_is_no_position_is_named_and_moves_nothing(api: ApiWorld) -> None:
    ada = await hire(api, "Ada", [Role.OPERATOR])
    far = {"latitude": AT["latitude"] + 0.1, "longitude": AT["longitude"]}
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"at": {"latitude": 90.1, "longitude": 0}}, "position.latitude"),
        ({"at": {"latitude": 0, "longitude": -180.1}}, "position.longitude"),
        ({"address": "x" * 201}, "address"),
        ({"entrances": [{"name": "Ramp", "position": AT}] * 13}, "entrances"),
        ({"entrances": [{"name": " ", "position": AT}]}, "entrances.0.name"),
        ({"entrances": [{"name": "Ramp", "position": far}]}, "entrances.0.position"),
        ({"place": place_id(api)[:-4] + "AAAA"}, "placeId"),
    ]
    for asked, field in wrong:
        told = await do(api, SET, ada.token, **{"place": place_id(api), "at": AT} | asked)
        assert told.get("field", told.get("code")) in {field, "PLACE_UNKNOWN"}, (asked, told)
    for content in ("nonsense", "place_id,latitude,longitude\nx,1,2\n"):
        told = await do(api, IMPORT, ada.token, content=content)
        assert told == {"__typename": "InvalidInput", "code": "INVALID_INPUT", "field": "content"}
    assert await api.lanes.count("place_positions") == 0
    assert ENTRANCE_AWAY_M_MAX == 2000


async def test_only_who_may_says_where_a_place_is(api: ApiWorld) -> None:
    async with api.lanes.context.database.begin() as unit:
        hill = await add_place(unit, api.lanes.entry.operator_id, "Hill", BUND)
    viewer = await hire(api, "Vi", [Role.VIEWER])
    elsewhere = await hire(api, "Eve", [Role.OPERATOR], places=[hill])
    told = await do(api, SET, viewer.token, place=place_id(api), at=AT)
    assert told == {"__typename": "Refused", "code": "FORBIDDEN"}
    told = await do(api, SET, elsewhere.token, place=place_id(api), at=AT)
    assert told["code"] == "PLACE_UNKNOWN"
    assert await do(api, IMPORT, elsewhere.token, content="place_id,latitude,longitude\n") == {
        "__typename": "Refused",
        "code": "FORBIDDEN",
    }
    assert await api.lanes.count("place_positions") == 1
    # A file tells of one's own places only.
    assert "Hill" in await do(api, EXPORT, elsewhere.token)


async def test_a_file_comes_back_as_it_went_out_in_both_forms(api: ApiWorld) -> None:
    ada = await hire(api, "Ada", [Role.OPERATOR])
    ramp = {"name": "Ramp, north", "use": "VEHICLES", "position": AT}
    asked = {"place": place_id(api), "at": AT, "address": 'Road "18"', "entrances": [ramp]}
    assert (await do(api, SET, ada.token, **asked))["changed"] is True
    as_csv = await do(api, EXPORT, ada.token)
    [row] = list(csv.DictReader(io.StringIO(as_csv)))
    assert {**row, "entrances": json.loads(row["entrances"])} == {
        "place_id": str(api.lanes.entry.place_id),
        "name": "Riverside",
        "latitude": "31.2401",
        "longitude": "121.4902",
        "address": 'Road "18"',
        "entrances": [
            {"name": "Ramp, north", "use": "vehicles", "latitude": 31.2401, "longitude": 121.4902}
        ],
    }
    as_json = await do(api, EXPORT, ada.token, format="JSON")
    assert json.loads(as_json)["places"][0]["entrances"] == json.loads(row["entrances"])
    await api.lanes.rows_changed("DELETE FROM place_positions")
    for content, form, changed in ((as_csv, "CSV", 1), (as_json, "JSON", 0)):
        told = await do(api, IMPORT, ada.token, content=content, format=form)
        assert told == {"__typename": "PlacePositionsImported", "places": 1, "changed": changed}
    assert await do(api, EXPORT, ada.token) == as_csv


async def test_a_file_with_a_place_of_somebody_else_moves_nothing(api: ApiWorld) -> None:
    ada = await hire(api, "Ada", [Role.OPERATOR])
    own, other = api.lanes.entry.place_id, api.lanes.entry.lane_id
    content = f"place_id,latitude,longitude\n{own},31,121\n{other},31,121\n"
    told = await do(api, IMPORT, ada.token, content=content)
    assert told == {"__typename": "InvalidInput", "code": "INVALID_INPUT", "field": "placeId"}
    assert await api.lanes.count("place_positions") == 0
