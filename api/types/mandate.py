"""Password-free authorizations as their driver sees them."""

from datetime import datetime

import strawberry

from api.global_ids import Node, encode_id
from api.types.money import Money
from parking.flows.payments.mandates import MandateView
from parking.payments import models

strawberry.enum(
    models.MandateState,
    name="MandateState",
    description="Whether an authorization may be used: only ACTIVE ones are charged.",
)


@strawberry.type(description="A standing permission to charge without a password.")
class Mandate(Node):
    """A standing permission."""

    provider: str
    state: models.MandateState
    confirmation_url: str | None = strawberry.field(
        description="While PENDING: the provider's page, where the driver confirms."
    )
    amount_max: Money | None = strawberry.field(
        description="The most that one charge may take; null for the provider's own limit."
    )
    created_at: datetime
    activated_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, view: MandateView) -> "Mandate":
        """Return the authorization for its driver."""
        return cls(
            id=encode_id("Mandate", view.id),
            provider=view.provider,
            state=view.state,
            confirmation_url=view.confirmation_url,
            amount_max=None if view.amount_max is None else Money.of(view.amount_max),
            created_at=view.created_at,
            activated_at=view.activated_at,
            revoked_at=view.revoked_at,
        )
