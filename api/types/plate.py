"""Plates and claims as their driver sees them."""

from datetime import datetime

import strawberry

from api.global_ids import Node, encode_id
from parking.plates import service


@strawberry.type(description="A plate that is bound to the driver: gates open for it.")
class Plate(Node):
    """A bound plate."""

    text: str = strawberry.field(description="In capitals, without separators.")
    bound_at: datetime
    pays_automatically: bool = strawberry.field(
        description="False while staff check something about the plate: nothing is charged for it, "
        "its stays are nobody's, and whoever drives it pays at the gate. No reason is given."
    )

    @classmethod
    def of(cls, bound: service.BoundPlate) -> "Plate":
        """Return the plate for its driver."""
        return cls(
            id=encode_id("Plate", bound.binding_id),
            text=bound.plate,
            bound_at=bound.bound_at,
            pays_automatically=not bound.is_paused,
        )


@strawberry.type(description="A plate that the driver wants to bind and has not proven yet.")
class PlateClaim(Node):
    """An open claim."""

    text: str = strawberry.field(description="In capitals, without separators.")
    created_at: datetime
    expires_at: datetime
    in_review: bool = strawberry.field(
        description="True when no code helps any more: staff look at the vehicle licence."
    )

    licence_pictures: int = strawberry.field(
        description="How many pictures of the vehicle licence came: send them by `POST "
        "/plate-claims/{id}/pictures`, at most 4 a claim."
    )

    @classmethod
    def of(cls, claim: service.PlateClaim) -> "PlateClaim":
        """Return the claim for its driver."""
        return cls(
            id=encode_id("PlateClaim", claim.claim_id),
            text=claim.plate,
            created_at=claim.created_at,
            expires_at=claim.expires_at,
            in_review=claim.in_review,
            licence_pictures=claim.pictures,
        )
