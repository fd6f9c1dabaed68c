"""What every server is asked: the running stays of one driver, twelve leaf fields."""

from typing import Any, Final

import orjson

PATH: Final = "/graphql"
# Whose stays, for a server that knows no tokens.
DRIVER_HEADER: Final = "x-driver"
OPERATION: Final = "LiveScreen"
DOCUMENT: Final = """query LiveScreen {
  viewer {
    id
    activeSessions {
      id
      plate
      enteredAt
      state
      bill {
        due { amountMinor }
        lines { reason startsAt amount { amountMinor } }
      }
      place { name timezone currency }
    }
  }
}"""

# One join over rows that say everything: no price is worked out, no plate is sealed.
JOIN: Final = """
SELECT d.id AS driver_id, s.id AS stay_id, s.plate, s.entered_at, s.state, s.due_minor,
    p.name, p.timezone, p.currency, l.reason, l.starts_at, l.amount_minor
FROM bench.drivers d
LEFT JOIN bench.stays s ON s.driver_key = d.key AND s.state = 'ACTIVE'
LEFT JOIN bench.places p ON p.key = s.place_key
LEFT JOIN bench.bill_lines l ON l.stay_id = s.id
WHERE d.key = $1
ORDER BY s.id, l.position
"""


def ad_hoc_body() -> bytes:
    """Return the body of a request that brings its document."""
    return orjson.dumps({"query": DOCUMENT})


def trusted_body(document_id: str) -> bytes:
    """Return the body of a request that names a document of the manifest."""
    persisted = {"version": 1, "sha256Hash": document_id}
    return orjson.dumps({"extensions": {"persistedQuery": persisted}})


def shaped(rows: list[Any]) -> dict[str, Any] | None:
    """Return the rows of the join as the answer's data."""
    if not rows:
        return {"viewer": None}
    stays: dict[str, dict[str, Any]] = {}
    for row in rows:
        stay_id = row["stay_id"]
        if stay_id is None:
            continue
        stay = stays.get(stay_id)
        if stay is None:
            stay = stays[stay_id] = {
                "id": stay_id,
                "plate": row["plate"],
                "enteredAt": row["entered_at"],
                "state": row["state"],
                "bill": {"due": {"amountMinor": row["due_minor"]}, "lines": []},
                "place": {
                    "name": row["name"],
                    "timezone": row["timezone"],
                    "currency": row["currency"],
                },
            }
        stay["bill"]["lines"].append(
            {
                "reason": row["reason"],
                "startsAt": row["starts_at"],
                "amount": {"amountMinor": row["amount_minor"]},
            }
        )
    return {"viewer": {"id": rows[0]["driver_id"], "activeSessions": list(stays.values())}}
