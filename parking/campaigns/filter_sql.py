"""A filter as one condition of SQL over `audience_members AS member`; every value is bound."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from parking.campaigns.filters import (
    AllOf,
    AnyOf,
    AtMerchant,
    AtPlace,
    Everybody,
    Filter,
    Habit,
    HoldsPass,
    NotThat,
    Recency,
    Spend,
    Vehicle,
    Visits,
)

_MINE: Final = "{0}.operator_id = member.operator_id AND {0}.driver_id = member.driver_id"
_SPENT: Final = (
    "coalesce((SELECT sum(spent.spent_minor) FROM audience_places AS spent"  # noqa: S608 - our own text
    f" WHERE {_MINE.format('spent')} AND spent.currency = %s%s), 0)"
)
_HERE: Final = (
    "(SELECT here.%s FROM audience_places AS here"  # noqa: S608 - our own text
    f" WHERE {_MINE.format('here')} AND here.place_id = %s)"
)
_PASS: Final = (
    "SELECT FROM driver_rights AS mine JOIN assigned_rights AS held"
    " ON held.operator_id = mine.operator_id AND held.id = mine.right_id"
    f" WHERE {_MINE.format('mine')} AND held.state IN ('active', 'grace')"
    " AND held.starts_at <= %s AND held.paid_until > %s"
)
_MERCHANT: Final = (
    "SELECT FROM driver_stays AS stay JOIN merchant_validations AS validated"
    " ON validated.operator_id = stay.operator_id AND validated.session_id = stay.session_id"
    " JOIN merchants AS merchant ON merchant.operator_id = validated.operator_id"
    " AND merchant.id = validated.merchant_id"
    f" WHERE {_MINE.format('stay')} AND merchant.category = ANY(%s)"
    " AND validated.granted_at >= %s"
)
_STAY_THERE: Final = (
    " AND EXISTS (SELECT FROM sessions AS session WHERE session.operator_id = stay.operator_id"
    " AND session.id = stay.session_id AND session.place_id = %s)"
)
_HABIT: Final = (
    "SELECT FROM unnest(CAST(%s AS uuid[])) AS expected(driver_id)"
    " JOIN driver_consents AS learnt ON learnt.driver_id = expected.driver_id"
    " AND learnt.kind = 'habits' AND learnt.withdrawn_at IS NULL"
    " WHERE expected.driver_id = member.driver_id"
)


@dataclass
class Compiled:
    """A condition and its values.

    Args:
        now: What days are counted back from.
        expected: The drivers of each habit clause, as `parking.habits` tells them.
        named: Columns in which clauses stand already.
        place_id: Visits, their times, what was spent and merchants are those there; None for those
            at any of the operator's places.
    """

    now: datetime
    expected: dict[Habit, list[UUID]] = field(default_factory=dict[Habit, list[UUID]])
    values: dict[str, object] = field(default_factory=dict[str, object])
    named: dict[Filter, str] = field(default_factory=dict[Filter, str])
    place_id: UUID | None = None

    def condition(self, found: Filter) -> str:  # noqa: PLR0911 - one for each kind of part
        """Return the condition of a filter; its values are added to `values`."""
        if found in self.named:
            return self.named[found]
        match found:
            case Everybody():
                return "true"
            case AllOf():
                return f"({' AND '.join(self.condition(part) for part in found.of)})"
            case AnyOf():
                return f"({' OR '.join(self.condition(part) for part in found.of)})"
            case NotThat():
                # What is not known is not so: never null, in either direction.
                return f"NOT coalesce({self.condition(found.that)}, false)"
            case Recency():
                return self._recency(found)
            case Visits():
                return self._between(self._fact("visits"), found.at_least, found.at_most)
            case Spend():
                here = "" if self.place_id is None else f" AND spent.place_id = {self._place()}"
                spent = _SPENT % (self._bind(found.currency), here)
                return self._between(spent, found.at_least_minor, found.at_most_minor)
            case _:
                return self._exists(found)

    def _exists(self, found: AtPlace | Vehicle | HoldsPass | AtMerchant | Habit) -> str:
        match found:
            case AtPlace():
                return self._at_place(found)
            case Vehicle():
                kinds = self._bind(list(found.kinds))
                return f"jsonb_exists_any(member.vehicle_kinds, CAST({kinds} AS text[]))"
            case HoldsPass():
                sql = _PASS % (self._time(0), self._time(0))
                if found.product_ids:
                    products = self._bind(list(found.product_ids))
                    sql += f" AND held.specification_id = ANY(CAST({products} AS uuid[]))"
                return f"EXISTS ({sql})"
            case AtMerchant():
                categories = f"CAST({self._bind(list(found.categories))} AS text[])"
                sql = _MERCHANT % (categories, self._time(found.within_days))
                if self.place_id is not None:
                    sql += _STAY_THERE % self._place()
                return f"EXISTS ({sql})"
            case Habit():
                return f"EXISTS ({_HABIT % self._bind(self.expected.get(found, []))})"

    def last_visit(self) -> str:
        """Return when a driver came last, as SQL."""
        return self._fact("last_visit_at")

    def _fact(self, column: str) -> str:
        return f"member.{column}" if self.place_id is None else _HERE % (column, self._place())

    def _place(self) -> str:
        return f"CAST({self._bind(self.place_id)} AS uuid)"

    def _recency(self, found: Recency) -> str:
        if found.within_days is not None:
            return f"{self.last_visit()} >= {self._time(found.within_days)}"
        return f"{self.last_visit()} < {self._time(found.not_within_days or 0)}"

    def _at_place(self, found: AtPlace) -> str:
        places = self._bind(list(found.place_ids))
        sql = (
            f"SELECT FROM audience_places AS at WHERE {_MINE.format('at')}"
            f" AND at.place_id = ANY(CAST({places} AS uuid[]))"
            f" AND at.visits >= {self._bind(found.visits_at_least)}"
        )
        if found.within_days is not None:
            sql += f" AND at.last_visit_at >= {self._time(found.within_days)}"
        return f"EXISTS ({sql})"

    def _between(self, what: str, least: int, most: int | None) -> str:
        sql = f"{what} >= {self._bind(least)}"
        return sql if most is None else f"({sql} AND {what} <= {self._bind(most)})"

    def _time(self, days_ago: int) -> str:
        bound = self._bind(self.now - timedelta(days=days_ago))
        return f"CAST({bound} AS timestamptz)"

    def _bind(self, value: object) -> str:
        name = f"filter_{len(self.values)}"
        self.values[name] = value
        return f":{name}"
