"""Looks again and again at what nobody reports: stays, money, pushes, processes."""

import asyncio
from typing import Final

import httpx
import structlog

from parking.flows.bills.live_bill import bill_of
from parking.kit.database import UnitOfWork
from parking.kit.errors import ParkingError
from parking.payments import repository as payments
from parking.plates.service import PLATE_CONTEXT
from parking.sessions import repository as sessions
from parking.tariffs import service as tariffs
from sesame.demo.feed import Feed, StayView
from sesame.demo.inboxes import Push
from sesame.demo.installation import DemoInstallation
from sesame.demo.town import TownPlace
from sesame.demo.witness import Witness
from sesame.supervisor import ProcessDownError

LOOK_S: Final = 1.0
STAYS_MAX: Final = 50

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Watch:
    """Fills the feed."""

    def __init__(self, town: DemoInstallation, witness: Witness, feed: Feed) -> None:
        self._town = town
        self._witness = witness
        self._feed = feed
        self._seen: set[Push] = set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self._look()
            except (ParkingError, httpx.HTTPError, OSError) as error:
                # A process may be down at this moment: the next look will see it again.
                _log.info("look_failed", error=repr(error))
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> None:
        self._feed.processes = {name: self._state(name) for name in self._town.children}
        stays: list[StayView] = []
        async with self._town.context.database.begin() as unit:
            for place in self._town.town.places:
                stays.extend(await _stays(unit, place))
        self._feed.stays = stays
        self._feed.books = await self._witness.books()
        for push in await self._town.pushes.pushes():
            if push not in self._seen:
                self._seen.add(push)
                self._feed.pushes.append(push)

    def _state(self, name: str) -> str:
        try:
            self._town.supervisor.pid(name)
        except ProcessDownError:
            return "down"
        return "frozen" if name in self._town.frozen else "up"


async def _stays(unit: UnitOfWork, place: TownPlace) -> list[StayView]:
    found = await sessions.list_open(unit, place.operator_id, place.place_id)
    keys = [(place.operator_id, session_id) for session_id, _ in found[-STAYS_MAX:]]
    rows = await sessions.find_sessions(unit, keys)
    tables = await tariffs.load_many(
        unit, {(row.operator_id, row.rate_table_id) for row in rows.values()}
    )
    bills = await payments.find_bills_of(unit, keys)
    return [
        StayView(
            place=place.name,
            plate=unit.vault.open(row.plate_sealed, context=PLATE_CONTEXT),
            driver="app" if row.driver_id is not None else "none",
            stayed_s=int((unit.now() - row.entered_at).total_seconds()),
            due=bill_of(
                row, tables[row.operator_id, row.rate_table_id], bills[row.id], unit.now()
            ).due,
        )
        for row in sorted(rows.values(), key=lambda row: row.entered_at)
    ]
