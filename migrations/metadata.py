"""Loads every feature's rows, so that Alembic compares against the whole schema."""

import re
from typing import Any, Literal

from sqlalchemy import Enum
from sqlmodel.sql.sqltypes import AutoString

import parking.campaigns.models
import parking.coupons.models
import parking.disputes.models
import parking.drivers.consent_models
import parking.drivers.models
import parking.events.models
import parking.gates.models
import parking.guidance.models
import parking.habits.models
import parking.idempotency.models
import parking.invoices.models
import parking.lanes.models
import parking.merchants.models
import parking.notices.models
import parking.occupancy.models
import parking.offers.models
import parking.offline.models
import parking.passes.models
import parking.payments.chargeback_models
import parking.payments.credit_models
import parking.payments.mandate_models
import parking.payments.models
import parking.payments.partner_models
import parking.places.models
import parking.plates.models
import parking.reconciliation.models
import parking.reviews.models
import parking.sessions.models
import parking.staff.models
import parking.tariffs.models
from parking.kit.columns import Json, Timestamp

ROW_MODULES = (
    parking.campaigns.models,
    parking.coupons.models,
    parking.disputes.models,
    parking.drivers.consent_models,
    parking.drivers.models,
    parking.events.models,
    parking.gates.models,
    parking.guidance.models,
    parking.habits.models,
    parking.idempotency.models,
    parking.invoices.models,
    parking.lanes.models,
    parking.merchants.models,
    parking.notices.models,
    parking.occupancy.models,
    parking.offers.models,
    parking.offline.models,
    parking.passes.models,
    parking.payments.chargeback_models,
    parking.payments.credit_models,
    parking.payments.mandate_models,
    parking.payments.models,
    parking.payments.partner_models,
    parking.places.models,
    parking.plates.models,
    parking.reconciliation.models,
    parking.reviews.models,
    parking.sessions.models,
    parking.staff.models,
    parking.tariffs.models,
)

_PARTITION = re.compile(r"_(\d{4}_\d{2}|default)$")


def belongs_to_schema(
    item: Any,  # noqa: ANN401 - Alembic passes any schema item
    name: str | None,
    kind: str,
    reflected: bool,  # noqa: FBT001 - Alembic's signature
    compare_to: object,
) -> bool:
    """Tell Alembic to ignore partitions: `ensure_partitions` makes them, not a migration."""
    _ = item, compare_to
    return not (kind == "table" and reflected and _PARTITION.search(name or ""))


def render_item(
    kind: str,
    item: Any,  # noqa: ANN401 - Alembic passes any schema item
    autogen_context: Any,  # noqa: ANN401 - Alembic's own
) -> str | Literal[False]:
    """Write column types into migrations by their plain names: an old one outlives our classes."""
    if kind != "type":
        return False
    if isinstance(item, Json):
        autogen_context.imports.add("from sqlalchemy.dialects.postgresql import JSONB")
        return "JSONB()"
    if isinstance(item, Timestamp):
        return "sa.DateTime(timezone=True)"
    if isinstance(item, Enum):
        return f"sa.String({item.length})"
    return "sa.String()" if isinstance(item, AutoString) else False
