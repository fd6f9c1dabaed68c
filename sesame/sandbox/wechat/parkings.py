"""Parking services and cars that have entered, in the stand-in's books."""

import json
import secrets

from sesame.sandbox.platform import (
    Json,
    NewAgreement,
    NotFoundError,
    NumberConflictError,
    Platform,
    Scenario,
)

BLOCKED_CHANGE = "parking.blocked"
NORMAL_CHANGE = "parking.normal"
_SCHEMA = """
create table if not exists parking (
    number text primary key, id text not null unique, plate text not null,
    parameters text not null, notice_url text not null, is_charged integer not null default 0)
"""


class Services:
    """Who has opened parking without a password for which plate."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def find(self, openid: str, plate: str) -> Json | None:
        """Return a payer's service for a plate, the newest; `None` where it was never opened."""
        found = self._platform.agreements.where("service", f"{openid} {plate}")
        return found[-1] if found else None

    def of_plate(self, plate: str) -> Json | None:
        """Return the service that charges for a plate fall on."""
        found = self._platform.agreements.where("plate", plate)
        active = [row for row in found if row["status"] == "active"]
        return active[-1] if active else None

    def begin(self, openid: str, plate: str, colour: str) -> Json:
        """Return a service that waits for the payer, or is open already."""
        row = self.find(openid, plate)
        if row is not None and row["status"] in {"pending", "active"}:
            return row
        number = secrets.token_hex(16)
        extra: Json = {
            "service": f"{openid} {plate}",
            "openid": openid,
            "plate": plate,
            "colour": colour,
        }
        asked = NewAgreement(
            number=number,
            parameters={"number": number},
            description=f"Parking of {plate}",
            return_url="",
            extra=extra,
        )
        # WeChat Pay tells nobody that a service was opened.
        return self._platform.agreements.start(asked, Scenario.NO_NOTICE)

    def state(self, row: Json | None) -> str:
        """Return `service_state`."""
        if row is None or row["status"] != "active":
            return "OUT_SERVICE"
        return "PAUSE" if row["extra"].get("is_paused") else "NORMAL"

    def pause(self, plate: str, *, is_paused: bool) -> None:
        """Pause the service of a plate, or let it go on.

        Raises:
            NotFoundError: there is none.
        """
        row = self._require(plate)
        self._platform.agreements.note(row["reference"], {"is_paused": is_paused})
        self._tell(plate, "PAUSE" if is_paused else None)

    def close(self, plate: str) -> None:
        """Take the plate out of its service, as only the payer can.

        Raises:
            NotFoundError: there is none.
        """
        row = self._require(plate)
        self._platform.agreements.cancel(row["reference"])
        self._tell(plate, "REMOVE")

    def forget(self) -> None:
        """Close every service, silently."""
        for row in self._platform.store.all("select reference from agreement"):
            self._platform.agreements.cancel(row["reference"])

    def _require(self, plate: str) -> Json:
        row = self.of_plate(plate)
        if row is None:
            raise NotFoundError
        return row

    def _tell(self, plate: str, reason: str | None) -> None:
        parkings = self._platform.store.all(
            "select * from parking where plate = ? and not is_charged order by rowid desc limit 1",
            plate,
        )
        for row in parkings:
            subject: Json = {
                **json.loads(row["parameters"]),
                "parking_id": row["id"],
                "reason": reason,
                "extra": {"notice_url": row["notice_url"]},
            }
            kind = NORMAL_CHANGE if reason is None else BLOCKED_CHANGE
            self._platform.notices.add(kind, subject)


class Parkings:
    """Cars that have entered: one number, one parking."""

    def __init__(self, platform: Platform) -> None:
        self._store = platform.store
        self._store.run(_SCHEMA)

    def enter(self, asked: Json) -> Json:
        """Return the parking of this number, new or as it is.

        Raises:
            NumberConflictError: the number is another parking's.
        """
        parameters = json.dumps(asked, sort_keys=True, ensure_ascii=False)
        self._store.insert(
            "parking",
            {
                "number": asked["out_parking_no"],
                "id": secrets.token_hex(10).upper(),
                "plate": asked["plate_number"],
                "parameters": parameters,
                "notice_url": asked["notify_url"],
            },
        )
        row = self._row("number", asked["out_parking_no"])
        if row["parameters"] != parameters:
            raise NumberConflictError
        return row

    def get(self, parking_id: str) -> Json:
        """Return a parking.

        Raises:
            NotFoundError: see there.
        """
        return self._row("id", parking_id)

    def is_newest(self, parking: Json) -> bool:
        """Whether the car was not told of again since: a plate has one valid parking."""
        newest = self._store.one(
            "select number from parking where plate = ? order by rowid desc limit 1",
            parking["plate"],
        )
        return newest is not None and newest["number"] == parking["number"]

    def charged(self, parking_id: str) -> None:
        """Note that a charge was accepted for it."""
        self._store.run("update parking set is_charged = 1 where id = ?", parking_id)

    def _row(self, name: str, value: str) -> Json:
        row = self._store.one(f"select * from parking where {name} = ?", value)  # noqa: S608 - ours
        if row is None:
            raise NotFoundError
        return row
