"""Which rows about bills are of some of an operator's places."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists
from sqlmodel import col

from parking.payments.models import Bill


def at_places(bill_id: Any, operator_id: UUID, places: Collection[UUID]) -> ColumnElement[bool]:  # noqa: ANN401 - a column
    """Return whether the bill of a row is of one of these places."""
    return exists().where(
        col(Bill.operator_id) == operator_id,
        col(Bill.id) == bill_id,
        col(Bill.place_id).in_(list(places)),
    )
