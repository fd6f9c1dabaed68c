"""The same question for a server that shows rows by its own rules: the same twelve leaf fields."""

from collections.abc import Mapping
from typing import Any, Final, cast
from uuid import UUID

import orjson

_DOCUMENT: Final = """query LiveScreen($key: UUID!) {
  driverByKey(key: $key) {
    id
    staysByDriverKeyList(condition: { state: "ACTIVE" }, orderBy: ID_ASC) {
      id
      plate
      enteredAt
      state
      dueMinor
      billLinesByStayIdList(orderBy: POSITION_ASC) { reason startsAt amountMinor }
      placeByPlaceKey { name timezone currency }
    }
  }
}"""


def rows_body(driver_id: UUID) -> bytes:
    """Return the body of a request for the rows of a driver."""
    return orjson.dumps({"query": _DOCUMENT, "variables": {"key": driver_id}})


def shaped_rows(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was said of the rows in the shape in which the others say it."""
    driver = cast("Mapping[str, Any] | None", data["driverByKey"])
    if driver is None:
        return {"viewer": None}
    stays = [_shaped(stay) for stay in driver["staysByDriverKeyList"]]
    return {"viewer": {"id": driver["id"], "activeSessions": stays}}


def _shaped(stay: Mapping[str, Any]) -> dict[str, Any]:
    lines = [
        {
            "reason": line["reason"],
            "startsAt": line["startsAt"],
            "amount": {"amountMinor": line["amountMinor"]},
        }
        for line in stay["billLinesByStayIdList"]
    ]
    return {
        **{name: stay[name] for name in ("id", "plate", "enteredAt", "state")},
        "bill": {"due": {"amountMinor": stay["dueMinor"]}, "lines": lines},
        "place": stay["placeByPlaceKey"],
    }
