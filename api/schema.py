"""The driver's schema."""

from functools import cache

import strawberry
from strawberry.schema.config import StrawberryConfig

from api.descriptions import described
from api.mutations.account import AccountMutations
from api.mutations.consents import ConsentMutations
from api.mutations.coupons import CouponMutations
from api.mutations.disputes import DisputeMutations
from api.mutations.habits import HabitMutations
from api.mutations.invoices import InvoiceMutations
from api.mutations.mandates import MandateMutations
from api.mutations.notifications import NotificationMutations
from api.mutations.owed import OwedMutations
from api.mutations.passes import PassMutations
from api.mutations.payments import PaymentMutations
from api.mutations.plates import PlateMutations
from api.mutations.reservations import ReservationMutations
from api.mutations.sign_in import SignInMutations
from api.query import Query
from api.refusals import Refusal
from api.subscriptions.subscription import Subscription
from api.types.coupon import CouponNode
from api.types.dispute import Dispute
from api.types.invoice import Invoice
from api.types.issued_bill import IssuedBill
from api.types.mandate import Mandate
from api.types.notification import Notification
from api.types.passes import Pass, PassProduct
from api.types.place import Place
from api.types.plate import Plate, PlateClaim
from api.types.reservation import ReservationNode, SpaceOfferNode
from api.types.session import Session


@strawberry.type
class Mutation(
    SignInMutations,
    AccountMutations,
    ConsentMutations,
    HabitMutations,
    PlateMutations,
    MandateMutations,
    PaymentMutations,
    PassMutations,
    ReservationMutations,
    CouponMutations,
    OwedMutations,
    DisputeMutations,
    InvoiceMutations,
    NotificationMutations,
):
    """The writes of the driver's schema."""


@cache
def make_schema(*, development: bool) -> strawberry.Schema:
    """Return the schema; `development` opens suggestions."""
    return described(
        strawberry.Schema(
            query=Query,
            mutation=Mutation,
            subscription=Subscription,
            types=[
                CouponNode,
                Dispute,
                Invoice,
                IssuedBill,
                Mandate,
                Notification,
                Pass,
                PassProduct,
                Place,
                Plate,
                PlateClaim,
                Refusal,
                ReservationNode,
                Session,
                SpaceOfferNode,
            ],
            config=StrawberryConfig(disable_field_suggestions=not development),
        )
    )
