"""The same answer as the tutorials write it: strawberry's own view, SQLModel's relationships.

`python -m sesame.bench.graphql.plain_server PORT`, told by DATABASE_URL. It reads no token, keeps
no limits and masks nothing.
"""

import os
import sys
from datetime import datetime
from typing import Final
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import selectinload
from sqlmodel import Field, Relationship, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL

from parking.kit.columns import Timestamp
from parking.kit.database import driver_url
from sesame.bench.graphql.question import DRIVER_HEADER, PATH
from sesame.bench.graphql.raw_server import CONNECTIONS, serve

_ACTIVE: Final = "ACTIVE"
_SCHEMA: Final = {"schema": "bench"}


class DriverRow(SQLModel, table=True):
    """Who asks."""

    __tablename__ = "drivers"  # pyright: ignore[reportAssignmentType] - SQLModel computes it
    __table_args__ = _SCHEMA

    key: UUID = Field(primary_key=True)
    id: str
    stays: list["StayRow"] = Relationship()


class PlaceRow(SQLModel, table=True):
    """Where a stay is."""

    __tablename__ = "places"  # pyright: ignore[reportAssignmentType] - SQLModel computes it
    __table_args__ = _SCHEMA

    key: UUID = Field(primary_key=True)
    name: str
    timezone: str
    currency: str


class LineRow(SQLModel, table=True):
    """A line of a stay's bill."""

    __tablename__ = "bill_lines"  # pyright: ignore[reportAssignmentType] - SQLModel computes it
    __table_args__ = _SCHEMA

    stay_id: str = Field(primary_key=True, foreign_key="bench.stays.id")
    position: int = Field(primary_key=True)
    reason: str
    starts_at: datetime | None = Field(sa_type=Timestamp)
    amount_minor: int


class StayRow(SQLModel, table=True):
    """A stay."""

    __tablename__ = "stays"  # pyright: ignore[reportAssignmentType] - SQLModel computes it
    __table_args__ = _SCHEMA

    id: str = Field(primary_key=True)
    driver_key: UUID = Field(foreign_key="bench.drivers.key")
    place_key: UUID = Field(foreign_key="bench.places.key")
    plate: str
    entered_at: datetime = Field(sa_type=Timestamp)
    state: str
    due_minor: int
    place: PlaceRow = Relationship()
    lines: list[LineRow] = Relationship(sa_relationship_kwargs={"order_by": "LineRow.position"})


_engine: Final = create_async_engine(driver_url(os.environ["DATABASE_URL"]), pool_size=CONNECTIONS)


@strawberry.type
class Money:
    """An amount."""

    amount_minor: int


@strawberry.type
class BillLine:
    """A line of a bill."""

    reason: str
    starts_at: datetime | None
    amount: Money


@strawberry.type
class Bill:
    """A bill."""

    due: Money
    lines: list[BillLine]


@strawberry.type
class Place:
    """A place."""

    name: str
    timezone: str
    currency: str


@strawberry.type
class Session:
    """A stay."""

    id: strawberry.ID
    plate: str
    entered_at: datetime
    state: str
    bill: Bill
    place: Place

    @classmethod
    def of(cls, row: StayRow) -> "Session":
        """Return the stay for a client."""
        lines = [
            BillLine(
                reason=line.reason,
                starts_at=line.starts_at,
                amount=Money(amount_minor=line.amount_minor),
            )
            for line in row.lines
        ]
        place = row.place
        return cls(
            id=strawberry.ID(row.id),
            plate=row.plate,
            entered_at=row.entered_at,
            state=row.state,
            bill=Bill(due=Money(amount_minor=row.due_minor), lines=lines),
            place=Place(name=place.name, timezone=place.timezone, currency=place.currency),
        )


@strawberry.type
class Viewer:
    """Who asks."""

    id: strawberry.ID
    key: strawberry.Private[UUID]

    @strawberry.field
    async def active_sessions(self) -> list[Session]:
        """Return the running stays."""
        statement = (
            select(StayRow)
            .where(col(StayRow.driver_key) == self.key, col(StayRow.state) == _ACTIVE)
            .order_by(col(StayRow.id))
            .options(selectinload(StayRow.place), selectinload(StayRow.lines))  # pyright: ignore[reportArgumentType] - SQLModel's own way
        )
        async with AsyncSession(_engine) as session:
            return [Session.of(row) for row in await session.exec(statement)]


@strawberry.type
class Query:
    """What may be asked."""

    @strawberry.field
    async def viewer(self, info: strawberry.Info[UUID, None]) -> Viewer | None:
        """Return who asks."""
        async with AsyncSession(_engine) as session:
            row = await session.get(DriverRow, info.context)
        return None if row is None else Viewer(id=strawberry.ID(row.id), key=row.key)


class View(GraphQL[UUID, None]):
    """The library's own view, with whom the header names."""

    async def get_context(
        self, request: Request | WebSocket, response: Response | WebSocket
    ) -> UUID:
        """Return who asks."""
        _ = response
        return UUID(request.headers[DRIVER_HEADER])


def plain_app() -> Starlette:
    """Return the application."""
    view = View(strawberry.Schema(Query), graphql_ide=None)
    return Starlette(routes=[Route(PATH, view)])


if __name__ == "__main__":
    serve(plain_app(), int(sys.argv[1]))
