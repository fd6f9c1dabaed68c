"""The staff's schema: what a person decides."""

from functools import cache

import strawberry
from strawberry.schema.config import StrawberryConfig

from api.descriptions import described
from api.staff.bills import BillQueries
from api.staff.campaigns import CampaignMutations, CampaignQueries
from api.staff.chargebacks import ChargebackQueries
from api.staff.claims import ClaimMutations, ClaimQueries
from api.staff.credit import CreditMutations, CreditQueries
from api.staff.deliveries import DeliveryQueries
from api.staff.desk import DeskMutations, DeskQueries
from api.staff.disputes import DisputeMutations, DisputeQueries
from api.staff.gate import guard
from api.staff.gates import GateQueries
from api.staff.invoices import InvoiceMutations, InvoiceQueries
from api.staff.ledger import LedgerQueries
from api.staff.members import MemberMutations, MemberQueries
from api.staff.money import MoneyMutations, MoneyQueries
from api.staff.occupancy import OccupancyMutations, OccupancyQueries
from api.staff.partners import PartnerMutations, PartnerQueries
from api.staff.passes import PassMutations, PassQueries
from api.staff.payments import PaymentMutations, PaymentQueries
from api.staff.places import PlaceQueries
from api.staff.positions import PositionMutations, PositionQueries
from api.staff.rate_tables import RateTableMutations, RateTableQueries
from api.staff.reconciliation import ReconciliationMutations, ReconciliationQueries
from api.staff.reservations import ReservationMutations, ReservationQueries
from api.staff.reviews import ReviewMutations, ReviewQueries
from api.staff.segments import SegmentMutations, SegmentQueries
from api.staff.validations import ValidationMutations
from api.staff.vehicles import VehicleMutations, VehicleQueries
from api.types.money import MINOR_UNITS, MinorUnits


@strawberry.type
class StaffQuery(
    BillQueries,
    CampaignQueries,
    SegmentQueries,
    ChargebackQueries,
    ClaimQueries,
    CreditQueries,
    DeliveryQueries,
    DeskQueries,
    GateQueries,
    LedgerQueries,
    MemberQueries,
    PartnerQueries,
    DisputeQueries,
    MoneyQueries,
    OccupancyQueries,
    PassQueries,
    PaymentQueries,
    PlaceQueries,
    PositionQueries,
    RateTableQueries,
    ReconciliationQueries,
    ReservationQueries,
    ReviewQueries,
    VehicleQueries,
    InvoiceQueries,
):
    """The reads of the staff's schema."""


@strawberry.type
class StaffMutation(
    CampaignMutations,
    SegmentMutations,
    ClaimMutations,
    CreditMutations,
    DeskMutations,
    MemberMutations,
    PartnerMutations,
    DisputeMutations,
    MoneyMutations,
    OccupancyMutations,
    PassMutations,
    PaymentMutations,
    PositionMutations,
    RateTableMutations,
    ReconciliationMutations,
    ReservationMutations,
    ReviewMutations,
    ValidationMutations,
    VehicleMutations,
    InvoiceMutations,
):
    """The writes of the staff's schema."""


# Once, whatever schemas are made of them.
guard(StaffQuery, are_acts=False)
guard(StaffMutation, are_acts=True)


@cache
def make_staff_schema(*, development: bool) -> strawberry.Schema:
    """Return the schema; `development` opens suggestions."""
    return described(
        strawberry.Schema(
            query=StaffQuery,
            mutation=StaffMutation,
            config=StrawberryConfig(
                disable_field_suggestions=not development, scalar_map={MinorUnits: MINOR_UNITS}
            ),
        )
    )
