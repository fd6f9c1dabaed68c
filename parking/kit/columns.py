"""Column types and table options that every feature's rows share."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, Final

from sqlalchemy import DateTime, Dialect, Enum, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import SQLModel

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

# A table that grows for ever is range-partitioned on its UUIDv7, so that old months drop whole.
PARTITIONED: Final = {"postgresql_partition_by": "RANGE (id)"}
TEXT_ENUM_LENGTH = 32


class Row(SQLModel):
    """A row of a table; every row class names its table in words."""

    # SQLModel declares a computed name; ours are written out.
    __tablename__: ClassVar[str]  # pyright: ignore[reportIncompatibleVariableOverride]


class Timestamp(TypeDecorator[datetime]):
    """`timestamptz` that takes and gives aware times only, in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive time before it reaches the database."""
        _ = dialect
        if value is not None and value.tzinfo is None:
            raise ValueError("timestamp: expected an aware time")
        return value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the stored time in UTC, whatever zone the connection has."""
        _ = dialect
        if value is None:
            return None
        # The driver keeps the first moment of year 1 as `-infinity`, which comes without a zone.
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """`jsonb`."""

    impl = JSONB
    cache_ok = True


def text_enum(members: type[StrEnum]) -> Any:  # noqa: ANN401 - SQLModel takes a type or an instance
    """Return a column type that stores a `StrEnum` by value, as text: adding a member is free."""
    return Enum(
        members,
        native_enum=False,
        create_constraint=False,
        length=TEXT_ENUM_LENGTH,
        values_callable=_values,
    )


def _values(members: type[StrEnum]) -> list[str]:
    return [member.value for member in members]
