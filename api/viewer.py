"""Everything that a driver may read."""

from uuid import UUID

import strawberry

from api import bill_reads, invoice_pages, reads
from api.bill_reads import IssuedBillConnection
from api.config import PAGE_SIZE
from api.coupon_reads import CouponFields
from api.global_ids import Node, encode_id
from api.notification_reads import NotificationFields
from api.request import Info
from api.reservation_reads import ReservationFields
from api.types.consent import Consent
from api.types.deletion import DeletionObstacle
from api.types.dispute import DisputeConnection
from api.types.habit import Habit
from api.types.invoice import InvoiceableBill, InvoiceBuyer, InvoiceConnection
from api.types.mandate import Mandate
from api.types.owed import Credit, OwedAmount
from api.types.passes import Pass
from api.types.plate import Plate, PlateClaim
from api.types.session import Session, SessionConnection
from api.types.sign_in import DeviceInfo, SignInInfo
from parking.flows.accounts import consenting, deletion
from parking.flows.driver_view import SessionView
from parking.flows.habits import own_habits
from parking.flows.payments import credit_terms, owed_payment, owed_view


@strawberry.type(description="The signed-in driver.")
class Viewer(NotificationFields, ReservationFields, CouponFields, Node):
    """The signed-in driver."""

    driver_id: strawberry.Private[UUID]
    running: strawberry.Private[list[SessionView] | None] = None

    @classmethod
    def of(cls, driver_id: UUID, running: list[SessionView] | None = None) -> "Viewer":
        """Return the driver, with their running stays where those were read already."""
        return cls(id=encode_id("Viewer", driver_id), driver_id=driver_id, running=running)

    @strawberry.field(description="The bound plates, oldest binding first.")
    async def plates(self, info: Info) -> list[Plate]:
        """Return the bound plates."""
        return await reads.plates(info.context, self.driver_id)

    @strawberry.field(description="Plates that wait for their proof, oldest first.")
    async def plate_claims(self, info: Info) -> list[PlateClaim]:
        """Return the open claims."""
        return await reads.plate_claims(info.context, self.driver_id)

    @strawberry.field(
        description="Authorizations that are not revoked, in the order in which they are charged."
    )
    async def mandates(self, info: Info) -> list[Mandate]:
        """Return the standing permissions."""
        return await reads.mandates(info.context, self.driver_id)

    @strawberry.field(description="Passes, newest first, ended ones too; at most 100.")
    async def passes(self, info: Info) -> list[Pass]:
        """Return the driver's passes."""
        return await reads.passes(info.context, self.driver_id)

    @strawberry.field(
        description="Every issued bill of a stay, a page at a time: those of the newest stay first."
    )
    async def bills(
        self, info: Info, first: int = PAGE_SIZE, after: str | None = None
    ) -> IssuedBillConnection:
        """Return a page of bills."""
        return await bill_reads.page_of_bills(
            info.context, self.driver_id, first=first, after=after
        )

    @strawberry.field(description="What you owe at any operator's place, the oldest first.")
    async def owed(self, info: Info) -> list[OwedAmount]:
        """Return what is owed after departure."""
        views = await owed_view.of_driver(info.context.parking, self.driver_id)
        return [OwedAmount.of(view) for view in views]

    @strawberry.field(description="Your credit at every operator that gave you any.")
    async def credit(self, info: Info) -> list[Credit]:
        """Return what may be paid after departure."""
        views = await credit_terms.of_driver(info.context.parking, self.driver_id)
        return [Credit.of(view) for view in views]

    @strawberry.field(description="Whether what you owe at partners is charged at each exit.")
    async def pays_partners(self, info: Info) -> bool:
        """Return the driver's choice."""
        return await owed_payment.is_chosen(info.context.parking, self.driver_id)

    @strawberry.field(description="Stays that have not ended, newest first.")
    async def active_sessions(self, info: Info) -> list[Session]:
        """Return the running stays."""
        if self.running is not None:
            return [Session.of(view) for view in self.running]
        return await reads.active_sessions(info.context, self.driver_id)

    @strawberry.field(description="Every stay, newest first, a page at a time.")
    async def sessions(
        self, info: Info, first: int = PAGE_SIZE, after: str | None = None
    ) -> SessionConnection:
        """Return a page of stays."""
        return await reads.page_of_sessions(info.context, self.driver_id, first=first, after=after)

    @strawberry.field(description="Your disputes, newest first, a page at a time.")
    async def disputes(
        self, info: Info, first: int = PAGE_SIZE, after: str | None = None
    ) -> DisputeConnection:
        """Return a page of disputes."""
        return await reads.page_of_disputes(info.context, self.driver_id, first=first, after=after)

    @strawberry.field(description="Your invoices and credit notes, newest first, a page at a time.")
    async def invoices(
        self, info: Info, first: int = PAGE_SIZE, after: str | None = None
    ) -> InvoiceConnection:
        """Return a page of invoices."""
        return await invoice_pages.page_of_driver(
            info.context, self.driver_id, first=first, after=after
        )

    @strawberry.field(
        description="Paid bills of your newest stays and passes that stand on no invoice yet."
    )
    async def invoiceable_bills(self, info: Info) -> list[InvoiceableBill]:
        """Return what an invoice can be asked for."""
        return await invoice_pages.invoiceable_bills(info.context, self.driver_id)

    @strawberry.field(description="Whom your invoices are usually made out to; null before.")
    async def invoice_buyer(self, info: Info) -> InvoiceBuyer | None:
        """Return the saved buyer."""
        return await invoice_pages.buyer(info.context, self.driver_id)

    @strawberry.field(description="The devices and browsers that are signed in, last used first.")
    async def sign_ins(self, info: Info) -> list[SignInInfo]:
        """Return the sign-ins that stand."""
        return await reads.sign_ins(info.context)

    @strawberry.field(description="The devices that your pushes go to, newest first; at most 20.")
    async def devices(self, info: Info) -> list[DeviceInfo]:
        """Return the devices that take pushes."""
        return await reads.devices(info.context, self.driver_id)

    @strawberry.field(description="What must be settled before `deleteAccount`; empty for nothing.")
    async def deletion_obstacles(self, info: Info) -> list[DeletionObstacle]:
        """Return what keeps the account from being deleted."""
        return await deletion.obstacles_of(info.context.parking, self.driver_id)

    @strawberry.field(description="What you allowed or not: every kind there is, none by default.")
    async def consents(self, info: Info) -> list[Consent]:
        """Return the driver's consents."""
        views = await consenting.of_driver(info.context.parking, self.driver_id)
        return [Consent.of(view) for view in views]

    @strawberry.field(
        description="What was learned of when you park, the last visited place first; at most "
        "200, and nothing unless you allow HABITS. `forgetHabits` deletes it."
    )
    async def habits(self, info: Info) -> list[Habit]:
        """Return what is thought of the driver's habits."""
        views = await own_habits.of_driver(info.context.parking, self.driver_id)
        return [Habit.of(view) for view in views]
